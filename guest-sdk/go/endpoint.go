package sendbox

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// CanonicalURL is an address that somebody typed, as the absolute URL that goes on the wire: lower-case scheme and
// host, host in A-labels, no default port, no dot segments, no fragment, ASCII only.
//
// The rules are the WHATWG URL Standard's for http and https, with what they would only guess at refused:
// credentials, numbers written as an IPv4 address in another base, and Unix sockets. The error does not repeat the
// address.
func CanonicalURL(text string) (string, error) {
	text = strings.TrimFunc(text, func(c rune) bool { return c <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "", errors.New("is not an absolute URL")
	}
	scheme = strings.ToLower(scheme)
	port, ok := map[string]string{"https": "443", "http": "80"}[scheme]
	if !ok {
		return "", errors.New("must begin with https:// or http://")
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	path := ""
	if slash := strings.IndexAny(rest, `/\`); slash >= 0 {
		rest, path = rest[:slash], rest[slash:]
	}
	authority, err := canonicalAuthority(rest, port)
	if err != nil {
		return "", err
	}
	url := scheme + "://" + authority + canonicalPath(path)
	if hasQuery {
		url += "?" + graphic(query, ` "#<>'`)
	}
	return url, nil
}

func canonicalAuthority(text, defaultPort string) (string, error) {
	if strings.Contains(text, "@") {
		return "", errors.New("must not contain a user or password")
	}
	host, port := text, ""
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:colon], text[colon+1:]
	}
	host, err := canonicalHost(host)
	if err != nil || port == "" {
		return host, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", errors.New("has an invalid port")
	}
	if port = strconv.FormatUint(number, 10); port != defaultPort {
		host += ":" + port
	}
	return host, nil
}

var errHost = errors.New("has an invalid host")

// longestName is the 255 bytes of RFC 1035, 2.3.4, as a text.
const longestName = 253

func canonicalHost(text string) (string, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return "", errHost
		}
		return "[" + address.String() + "]", nil
	}
	text = strings.ReplaceAll(text, "\u3002", ".")
	// Only the root, behind the last dot, has no name.
	relative, isAbsolute := strings.CutSuffix(text, ".")
	name, err := Domain(relative)
	if err != nil {
		return "", err
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if name == "unix" {
		return "", errors.New("must not name a Unix socket")
	}
	if last[0] >= '0' && last[0] <= '9' {
		if address, err := netip.ParseAddr(name); err != nil || !address.Is4() {
			return "", errHost
		}
	}
	if isAbsolute {
		name += "."
	}
	return name, nil
}

// Domain is a host's name in lower-case A-labels, without a dot at its end: the one behind the "@" of a mail address.
func Domain(text string) (string, error) {
	// Letter by letter: the last sigma of a word is none of its own in a host name (UTS #46).
	labels := strings.Split(strings.Map(unicode.ToLower, text), ".")
	for i, label := range labels {
		var err error
		if labels[i], err = asciiLabel(label); err != nil || label == "" {
			return "", errHost
		}
	}
	name := strings.Join(labels, ".")
	if len(name) > longestName {
		return "", errHost
	}
	return name, nil
}

// canonicalPath is the path without its dot segments, percent-encoded.
func canonicalPath(path string) string {
	var segments []string
	endsOpen := false
	for i, segment := range strings.Split(strings.ReplaceAll(path, `\`, "/"), "/") {
		if i == 0 {
			continue // Before the first slash there is nothing.
		}
		plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		endsOpen = plain == "." || plain == ".."
		switch {
		case plain == ".." && len(segments) > 0:
			segments = segments[:len(segments)-1]
		case !endsOpen:
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 || endsOpen {
		segments = append(segments, "")
	}
	for i, segment := range segments {
		segments[i] = graphic(segment, " \"#<>?^`{}")
	}
	return "/" + strings.Join(segments, "/")
}

// graphic percent-encodes control characters, what is not ASCII, and the reserved ones.
func graphic(text, reserved string) string {
	return percentEncoded(text, func(c byte) bool {
		return c > ' ' && c < 0x7f && strings.IndexByte(reserved, c) < 0
	})
}
