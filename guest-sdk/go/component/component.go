// Package component makes a component of a connector.
//
// It has an effect under GOOS=wasip1 alone, so that a connector's package can be tested as any other.
package component

import (
	"sendbox"
	"sendbox/internal/exports"
)

// Export makes the connector the one that this component is. Call it from an init function of the main package:
// a component's main is never called.
func Export[S any](connector sendbox.Connector[S]) {
	if connector.Request == nil && connector.Send == nil {
		panic("the connector has neither a Request nor a Send")
	}
	exports.Connector = exports.Exported{About: connector.About, Run: connector.Run}
}
