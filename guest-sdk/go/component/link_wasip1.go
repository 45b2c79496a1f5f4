package component

// The functions that the host calls.
import _ "sendbox/bindings/wit_exports"
