package sendbox

import (
	"math"
	"strings"
	"unicode"
)

// asciiLabel is one label of a host name in ASCII (RFC 5890). A name that needs more of UTS #46 than lower case
// never equals the host's own reading of it, and is refused there.
func asciiLabel(text string) (string, error) {
	foreign := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && c != '-' && c != '_'
	}
	if strings.ContainsFunc(text, foreign) {
		return "", errHost
	}
	label := text
	if strings.ContainsFunc(text, func(c rune) bool { return c >= 0x80 }) {
		label = "xn--" + punycode([]rune(text))
	}
	if len(label) > 63 {
		return "", errHost
	}
	return label, nil
}

// punycode encodes a label (RFC 3492, 6.3).
func punycode(label []rune) string {
	const base, digits = 36, "abcdefghijklmnopqrstuvwxyz0123456789"
	var out []byte
	for _, c := range label {
		if c < 0x80 {
			out = append(out, byte(c))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	code, delta, bias := rune(0x80), 0, 72
	for handled := basic; handled < len(label); {
		next := rune(math.MaxInt32)
		for _, c := range label {
			if c >= code {
				next = min(next, c)
			}
		}
		delta += int(next-code) * (handled + 1)
		code = next
		for _, c := range label {
			if c < code {
				delta++
			}
			if c != code {
				continue
			}
			rest := delta
			for k := base; ; k += base {
				threshold := min(max(k-bias, 1), 26)
				if rest < threshold {
					break
				}
				out = append(out, digits[threshold+(rest-threshold)%(base-threshold)])
				rest = (rest - threshold) / (base - threshold)
			}
			out = append(out, digits[rest])
			bias = adapted(delta, handled+1, handled == basic)
			delta = 0
			handled++
		}
		delta++
		code++
	}
	return string(out)
}

func adapted(delta, points int, first bool) int {
	if first {
		delta /= 700
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > 455; k += 36 {
		delta /= 35
	}
	return k + 36*delta/(delta+38)
}
