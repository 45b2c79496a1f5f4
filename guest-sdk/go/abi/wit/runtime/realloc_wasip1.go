package runtime

import "unsafe"

// reallocate is how the host asks for memory before it hands over a value.
//
//go:wasmexport cabi_realloc
func reallocate(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	memory := allocate(size, align)
	if old != nil {
		copy(unsafe.Slice((*byte)(memory), size), unsafe.Slice((*byte)(old), oldSize))
	}
	lent = append(lent, memory)
	return memory
}

// adapterRoom is for the state and the stack of WASI's adapter, 64 KiB each.
var adapterRoom [2 << 16 / 8]uint64

var adapterUsed uintptr

// reallocateForAdapter is how the adapter asks for memory of its own, which it keeps. It may do so while Go's
// runtime starts, when there is no heap yet.
//
//go:wasmexport cabi_realloc_adapter
func reallocateForAdapter(_ unsafe.Pointer, _, _, size uintptr) unsafe.Pointer {
	words := (size + 7) / 8
	free := adapterRoom[adapterUsed : adapterUsed+words]
	adapterUsed += words
	return unsafe.Pointer(unsafe.SliceData(free))
}
