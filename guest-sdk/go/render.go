package sendbox

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Render replaces each variable of a plain text, such as {{ organization.name }}, by its value, without any escaping
// and with the semantics of Logto's connector kit: /{{\s*([\w.]+)\s*}}/g, replaced once and never read again.
//
// A variable whose first name is not in the payload stays as it is written; one that is not found further down, or
// is null, becomes empty.
func Render(template string, payload *Payload) string {
	return renderWith(template, payload, func(value string) string { return value })
}

// renderWith is [Render], each value as write has it for its place.
func renderWith(template string, payload *Payload, write func(string) string) string {
	var text strings.Builder
	for {
		before, at, found := strings.Cut(template, "{{")
		text.WriteString(before)
		if !found {
			return text.String()
		}
		path, after, ok := variable(at)
		if !ok {
			// No variable begins here, but one may at the next brace: {{{code}}}.
			text.WriteByte('{')
			template = "{" + at
			continue
		}
		if value, known := lookUp(path, payload); known {
			text.WriteString(write(value))
		} else {
			text.WriteString("{{")
			text.WriteString(at[:len(at)-len(after)])
		}
		template = after
	}
}

// htmlEscaper writes a value into an element or a quoted attribute, so that nothing in it is markup.
var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// variable splits what follows two braces into the path and what comes behind the closing ones.
func variable(text string) (path, after string, ok bool) {
	text = strings.TrimLeftFunc(text, isSpace)
	end := strings.IndexFunc(text, func(c rune) bool {
		return !(c < 0x80 && isAlphanumeric(byte(c)) || c == '_' || c == '.')
	})
	if end <= 0 {
		return "", "", false
	}
	after, ok = strings.CutPrefix(strings.TrimLeftFunc(text[end:], isSpace), "}}")
	return text[:end], after, ok
}

// isSpace is JavaScript's \s, which is not Unicode's white space: U+FEFF is in, U+0085 is not.
func isSpace(c rune) bool {
	return c == '\uFEFF' || unicode.IsSpace(c) && c != '\u0085'
}

// lookUp is the text for a path, where its first name is known.
func lookUp(path string, payload *Payload) (string, bool) {
	root, rest, deeper := strings.Cut(path, ".")
	value, known := payload.Get(root)
	if !known || root == "" {
		return "", false
	}
	for deeper {
		var name string
		name, rest, deeper = strings.Cut(rest, ".")
		if value, known = property(value, name); !known {
			return "", true
		}
	}
	return valueText(value), true
}

// property is one property of a value. Inherited ones, which JavaScript would find, count as missing.
func property(value any, name string) (any, bool) {
	switch value := value.(type) {
	case *Payload:
		return value.Get(name)
	case []any:
		if name == "length" {
			return float64(len(value)), true
		}
		if index, ok := arrayIndex(name); ok && index < len(value) {
			return value[index], true
		}
	}
	return nil, false
}

// valueText is JavaScript's String(value), with an empty text for null.
func valueText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(value)
	case float64:
		return numberText(value)
	case string:
		return value
	case []any:
		texts := make([]string, len(value))
		for i, item := range value {
			texts[i] = valueText(item)
		}
		return strings.Join(texts, ",")
	case *Payload:
		return "[object Object]"
	default:
		return fmt.Sprint(value)
	}
}
