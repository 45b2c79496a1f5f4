package sendbox

import "strings"

// PathSegment percent-encodes one segment of a URL's path, as JavaScript's encodeURIComponent does.
func PathSegment(text string) string {
	return encoded(text, "-_.!~*'()")
}

func formOf(pairs []Pair) string {
	encode := func(text string) string {
		return strings.ReplaceAll(encoded(text, "*-._ "), " ", "+")
	}
	var form strings.Builder
	for i, pair := range pairs {
		if i > 0 {
			form.WriteByte('&')
		}
		form.WriteString(encode(pair[0]))
		form.WriteByte('=')
		form.WriteString(encode(pair[1]))
	}
	return form.String()
}

// encoded percent-encodes all but ASCII letters, digits and the literal ones.
func encoded(text, literal string) string {
	return percentEncoded(text, func(c byte) bool {
		return isAlphanumeric(c) || strings.IndexByte(literal, c) >= 0
	})
}

func percentEncoded(text string, plain func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c) {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
