// Package exports holds the connector that the component exports, between the package that sets it and the one
// that the generated bindings call.
package exports

import "sendbox"

// Exported is a connector without the type of its settings.
type Exported struct {
	About sendbox.About
	Run   func(settings string, message *sendbox.Message, exchange sendbox.Exchange) (*sendbox.Receipt, *sendbox.Failure)
}

// Connector is what the component exports.
var Connector Exported

// Rehearsing says that the build sends, where no host is: what would call it makes its answer up.
var Rehearsing bool
