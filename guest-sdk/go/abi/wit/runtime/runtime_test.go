package runtime

import (
	"runtime"
	"testing"
)

func TestMemoryIsAlignedForEveryTypeOfTheContract(t *testing.T) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	for size := uintptr(1); size < 100; size++ {
		if memory := Allocate(&pinner, size, 8); uintptr(memory)%8 != 0 {
			t.Errorf("%d bytes lie at %p", size, memory)
		}
	}
	if Allocate(&pinner, 0, 1) != nil {
		t.Error("nothing has an address")
	}
}

func TestAResourceIsTakenOnce(t *testing.T) {
	handle := MakeHandle(7)
	if handle.Use() != 7 || handle.Take() != 7 || handle.TakeOrNil() != 0 {
		t.Error(handle)
	}
	defer func() {
		if recover() == nil {
			t.Error("a resource that is gone was used")
		}
	}()
	handle.Use()
}
