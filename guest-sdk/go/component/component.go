// Package component makes a component of a connector.
//
// It has an effect under GOOS=wasip1 alone, so that a connector's package can be tested as any other.
package component

import (
	"runtime"

	"sendbox"
	"sendbox/internal/exports"
	"sendbox/internal/recorded"
)

// Export makes the connector the one that this component is. Call it from an init function of the main package:
// a component's main is never called.
//
// The build runs the init functions once and keeps the memory as they leave it: every send starts from there. The
// rehearsals are recorded cases, such as those of the connector's tests. They are sent then, without a network, so
// that a send finds warm what Go prepares at the first use, such as the readers of its JSON types; that halves its
// time. What the connector keeps in package variables it must not draw by chance or take from the clock.
func Export[S any](connector sendbox.Connector[S], rehearsals ...string) {
	if connector.Request == nil && connector.Send == nil {
		panic("the connector has neither a Request nor a Send")
	}
	exports.Connector = exports.Exported{About: connector.About, Run: connector.Run}
	if runtime.GOOS == "wasip1" {
		for _, cases := range rehearsals {
			rehearse(cases)
		}
	}
}

// rehearse sends the cases. What comes of them is the tests' business.
func rehearse(cases string) {
	exports.Rehearsing = true
	defer func() { exports.Rehearsing = false }()
	for recorded, err := range recorded.Cases(cases) {
		if err != nil {
			panic("a line of the rehearsals is no recorded case")
		}
		exchange := func(*sendbox.Request) (*sendbox.Response, error) { return recorded.Answer() }
		exports.Connector.Run(recorded.Settings(), recorded.Message(), exchange)
	}
}
