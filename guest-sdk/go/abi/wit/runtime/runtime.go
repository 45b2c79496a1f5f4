// Package runtime gives the generated bindings memory for what crosses the border of the component.
//
// The import path and the functions are those that the bindings of wit-bindgen-go 0.60 import.
package runtime

import (
	"runtime"
	"unsafe"
)

// Allocate gives size bytes, which stay where they are until the pinner lets go of them.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	memory := allocate(size, align)
	pinner.Pin(memory)
	return memory
}

// allocate rounds up to whole words: Go aligns those to 8 bytes, the most that the contract's types ask for.
func allocate(size, align uintptr) unsafe.Pointer {
	if align > 8 {
		panic("no type of the contract has this alignment")
	}
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
}

// lent is what the host has been given to write into, until the bindings hold it themselves: the collector
// does not see the host's pointers.
var lent []unsafe.Pointer

// Unpin forgets what was lent to the host. The bindings call it when they have read the host's values.
func Unpin() {
	lent = lent[:0]
}

// Handle is a resource of the host's.
type Handle struct {
	value int32
}

// MakeHandle takes charge of a resource.
func MakeHandle(value int32) *Handle {
	return &Handle{value}
}

// Use is the resource's number, for a call that borrows it.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("the resource is gone")
	}
	return h.value
}

// Take is the resource's number, for a call that takes it.
func (h *Handle) Take() int32 {
	value := h.Use()
	h.value = 0
	return value
}

// Set makes the handle one of another resource.
func (h *Handle) Set(value int32) {
	h.value = value
}

// TakeOrNil is [Handle.Take], and 0 where the resource is gone.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}
