package sendbox

import (
	"encoding"
	"encoding/json/v2"
	"reflect"
	"strconv"
	"strings"
)

// Checker is a type of the settings that has more to say than its shape: Check runs when it has been read, and its
// error names the field.
type Checker interface {
	Check() error
}

// ReadSettings reads an integration's settings from their JSON text into a struct, by the names of its json tags.
//
// A field must be there and must not be null, unless its tag says omitempty or omitzero: then it may be absent, and
// is left as it is. Unknown fields are accepted. The error names the field by its path and never repeats the value:
// it may be a secret in the wrong place.
func ReadSettings(text string, settings any) error {
	value, err := parseJSON(text)
	if err != nil {
		return InvalidField("settings", "expected JSON")
	}
	return readValue(value, reflect.ValueOf(settings).Elem(), "")
}

func readValue(value any, into reflect.Value, path string) error {
	if err := readShape(value, into, path); err != nil {
		return err
	}
	if checker, ok := into.Addr().Interface().(Checker); ok {
		if err := checker.Check(); err != nil {
			return wrong(path, err.Error())
		}
	}
	return nil
}

// readShape knows structs, lists and texts, which settings are made of. encoding/json reads the rest, and types that
// read themselves.
func readShape(value any, into reflect.Value, path string) error {
	switch kind(into) {
	case reflect.Struct:
		object, ok := value.(*Payload)
		if !ok {
			return wrong(path, "expected an object")
		}
		return readFields(object, into, path)
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			return wrong(path, "expected a list")
		}
		list := reflect.MakeSlice(into.Type(), len(items), len(items))
		for i, item := range items {
			if err := readValue(item, list.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		into.Set(list)
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return wrong(path, "expected a string")
		}
		into.SetString(text)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return readValue(value, into.Elem(), path)
	default:
		text, err := json.Marshal(value)
		if err != nil || value == nil || json.Unmarshal(text, into.Addr().Interface()) != nil {
			return wrong(path, "expected "+into.Type().String())
		}
	}
	return nil
}

// kind is the kind of a type, or none where the type reads itself.
func kind(into reflect.Value) reflect.Kind {
	switch into.Addr().Interface().(type) {
	case json.Unmarshaler, json.UnmarshalerFrom, encoding.TextUnmarshaler:
		return reflect.Invalid
	}
	return into.Kind()
}

func readFields(object *Payload, into reflect.Value, path string) error {
	for i := range into.NumField() {
		field := into.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			if err := readFields(object, into.Field(i), path); err != nil {
				return err
			}
			continue
		}
		if !field.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = field.Name
		}
		value, ok := object.Get(name)
		if !ok {
			if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
				continue
			}
			return wrong(path, "missing field `"+name+"`")
		}
		if err := readValue(value, into.Field(i), strings.TrimPrefix(path+"."+name, ".")); err != nil {
			return err
		}
	}
	return nil
}

func wrong(path, words string) error {
	if path == "" {
		path = "settings"
	}
	return InvalidField(path, words)
}

// unescapedHTML says whether the settings ask for "unescapedHtml".
func unescapedHTML(text string) bool {
	if !strings.Contains(text, `"unescapedHtml"`) {
		return false
	}
	settings, err := ParsePayload(text)
	if err != nil {
		return false
	}
	on, _ := settings.Get("unescapedHtml")
	return on == true
}
