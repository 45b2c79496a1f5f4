package component

import (
	"runtime/debug"

	// The functions that the host calls.
	_ "sendbox/bindings/wit_exports"
)

// A component lives for one send: memory is collected only where a send needs much of it, and before the 64 MiB that
// a host grants by default are used up.
func init() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(48 << 20)
}
