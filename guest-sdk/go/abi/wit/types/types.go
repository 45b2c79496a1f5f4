// Package wit_types holds the shapes that the generated bindings give to the contract's option, result and
// tuple.
//
// The name and the functions are those that the bindings of wit-bindgen-go 0.60 import.
package wit_types

// Tags of an [Option] and of a [Result].
const (
	OptionNone = 0
	OptionSome = 1

	ResultOk  = 0
	ResultErr = 1
)

// Unit is what a result without a value holds.
type Unit struct{}

// Option is a value or nothing.
type Option[T any] struct {
	tag   uint8
	value T
}

// None is nothing.
func None[T any]() Option[T] {
	return Option[T]{}
}

// Some is a value.
func Some[T any](value T) Option[T] {
	return Option[T]{OptionSome, value}
}

// Tag is [OptionNone] or [OptionSome].
func (o Option[T]) Tag() uint8 {
	return o.tag
}

// Some is the value, or the zero value where there is nothing.
func (o Option[T]) Some() T {
	return o.value
}

// Result is a value or an error.
type Result[T, E any] struct {
	tag   uint8
	value T
	err   E
}

// Ok is a value.
func Ok[T, E any](value T) Result[T, E] {
	return Result[T, E]{tag: ResultOk, value: value}
}

// Err is an error.
func Err[T, E any](err E) Result[T, E] {
	return Result[T, E]{tag: ResultErr, err: err}
}

// Tag is [ResultOk] or [ResultErr].
func (r Result[T, E]) Tag() uint8 {
	return r.tag
}

// Ok is the value, or the zero value where there is an error.
func (r Result[T, E]) Ok() T {
	return r.value
}

// Err is the error, or the zero value where there is a value.
func (r Result[T, E]) Err() E {
	return r.err
}

// Tuple2 is a pair.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}
