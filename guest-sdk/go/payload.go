package sendbox

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Payload holds a message's template variables: a JSON object that reads and writes exactly as JavaScript does,
// with integer-like keys first, ascending, then the others in the caller's order.
//
// A value is nil, a bool, a float64, a string, a []any or, inside it, another *Payload.
type Payload struct {
	members []member
	// Where each name stands.
	index map[string]int
}

type member struct {
	name  string
	value any
}

// ParsePayload reads the text of a JSON object. Half a surrogate pair, which JavaScript allows in a string and
// UTF-8 does not, becomes U+FFFD.
func ParsePayload(text string) (*Payload, error) {
	value, err := parseJSON(text)
	payload, ok := value.(*Payload)
	if err != nil || !ok {
		return nil, &Failure{Kind: Rejected, Message: "the payload is not a JSON object"}
	}
	return payload, nil
}

// Get is the value of a variable, by its first name.
func (p *Payload) Get(name string) (value any, ok bool) {
	at, ok := p.index[name]
	if !ok {
		return nil, false
	}
	return p.members[at].value, true
}

// All gives names and values in order.
func (p *Payload) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, member := range p.members {
			if !yield(member.name, member.value) {
				return
			}
		}
	}
}

// With is the same payload with one more value, in the place of the one that it replaces, else behind the others.
func (p *Payload) With(name string, value any) *Payload {
	changed := &Payload{}
	for name, value := range p.All() {
		changed.put(name, value)
	}
	changed.put(name, value)
	changed.order()
	return changed
}

// Without is the same payload without one value.
func (p *Payload) Without(name string) *Payload {
	changed := &Payload{}
	for known, value := range p.All() {
		if known != name {
			changed.put(known, value)
		}
	}
	return changed
}

// String is the text of the JSON object, as JavaScript prints it.
func (p *Payload) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "{}" // Values that [Payload.With] was given and that have no JSON form.
	}
	return string(text)
}

// MarshalJSONTo writes the JSON object.
func (p *Payload) MarshalJSONTo(out *jsontext.Encoder) error {
	return writeJSON(out, p)
}

func (p *Payload) put(name string, value any) {
	if at, ok := p.index[name]; ok {
		p.members[at].value = value
		return
	}
	if p.index == nil {
		p.index = make(map[string]int, 8)
	}
	p.index[name] = len(p.members)
	p.members = append(p.members, member{name, value})
}

// order brings integer-like keys to the front, as JavaScript's objects do.
func (p *Payload) order() {
	number := func(m member) uint64 {
		if index, ok := arrayIndex(m.name); ok {
			return uint64(index)
		}
		return 1 << 32 // The names keep their order behind all numbers.
	}
	slices.SortStableFunc(p.members, func(a, b member) int {
		return int(int64(number(a)) - int64(number(b)))
	})
	for at, member := range p.members {
		p.index[member.name] = at
	}
}

// arrayIndex is the key as an array index (ECMA-262, 6.1.7): canonical decimal, at most 2^32 - 2.
func arrayIndex(key string) (int, bool) {
	if key == "" || key[0] < '0' || key[0] > '9' || (key[0] == '0' && key != "0") {
		return 0, false
	}
	index, err := strconv.ParseUint(key, 10, 32)
	return int(index), err == nil && index != 1<<32-1
}

// parseJSON reads one JSON value as the types of [Payload].
func parseJSON(text string) (any, error) {
	in := jsontext.NewDecoder(strings.NewReader(text),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	value, err := readJSON(in)
	if err != nil {
		return nil, err
	}
	if _, err := in.ReadToken(); err != io.EOF {
		return nil, &jsontext.SyntacticError{ByteOffset: in.InputOffset(), Err: err}
	}
	return value, nil
}

func readJSON(in *jsontext.Decoder) (any, error) {
	token, err := in.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return strconv.ParseFloat(token.String(), 64)
	case '[':
		return readArray(in)
	default:
		return readObject(in)
	}
}

func readArray(in *jsontext.Decoder) (any, error) {
	items := []any{}
	for in.PeekKind() != ']' {
		item, err := readJSON(in)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := in.ReadToken()
	return items, err
}

func readObject(in *jsontext.Decoder) (any, error) {
	object := &Payload{}
	for in.PeekKind() != '}' {
		token, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := readJSON(in)
		if err != nil {
			return nil, err
		}
		object.put(name, value)
	}
	object.order()
	_, err := in.ReadToken()
	return object, err
}

func writeJSON(out *jsontext.Encoder, value any) error {
	switch value := value.(type) {
	case float64:
		return out.WriteValue(jsontext.Value(numberText(value)))
	case []any:
		if err := out.WriteToken(jsontext.BeginArray); err != nil {
			return err
		}
		for _, item := range value {
			if err := writeJSON(out, item); err != nil {
				return err
			}
		}
		return out.WriteToken(jsontext.EndArray)
	case *Payload:
		if err := out.WriteToken(jsontext.BeginObject); err != nil {
			return err
		}
		for name, item := range value.All() {
			if err := out.WriteToken(jsontext.String(name)); err != nil {
				return err
			}
			if err := writeJSON(out, item); err != nil {
				return err
			}
		}
		return out.WriteToken(jsontext.EndObject)
	default:
		return json.MarshalEncode(out, value)
	}
}

// numberText is the text of a number as JavaScript prints it (ECMA-262, Number::toString).
func numberText(number float64) string {
	size := max(number, -number)
	switch {
	case size == 0:
		return "0"
	case size >= 1e-6 && size < 1e21:
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	// Go writes at least two digits of the exponent.
	text := strconv.FormatFloat(number, 'e', -1, 64)
	return strings.NewReplacer("e+0", "e+", "e-0", "e-").Replace(text)
}
