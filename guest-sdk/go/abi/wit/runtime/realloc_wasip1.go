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

// reallocateForAdapter is how the adapter of WASI asks for memory of its own, which it keeps. It does so while
// Go's runtime starts as well, when there is no heap yet.
//
//go:wasmexport cabi_realloc_adapter
func reallocateForAdapter(_ unsafe.Pointer, _, _, size uintptr) unsafe.Pointer {
	return sbrk(size)
}

// sbrk takes whole pages from the end of the memory, the way Go's heap does.
//
//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer
