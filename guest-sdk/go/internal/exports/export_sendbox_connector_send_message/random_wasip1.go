package export_sendbox_connector_send_message

import _ "unsafe" // For go:linkname.

// reseed draws a new seed from the host for math/rand and for maps. A component starts from a snapshot that was
// taken when it was built, with the seed of that time in it: without this, every send would draw the same numbers.
// (crypto/rand asks the host each time.)
func reseed() {
	globalRand.init = false
	randinit()
	mrandinit(&m0)
}

// The runtime's own variables and functions of Go 1.27: runtime/rand.go, runtime/proc.go. With other fields before
// init, randinit would end the program with "randinit twice", and no build would pass its cases.
//
//go:linkname globalRand runtime.globalRand
var globalRand struct {
	lock  uintptr
	seed  [32]byte
	state struct {
		buf     [32]uint64
		seed    [4]uint64
		i, n, c uint32
	}
	init bool
}

// m0 is the only thread that there is in WebAssembly.
//
//go:linkname m0 runtime.m0
var m0 struct{}

//go:linkname randinit runtime.randinit
func randinit()

//go:linkname mrandinit runtime.mrandinit
func mrandinit(*struct{})
