package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sendbox"
)

// Bytes of the part before the "@" (RFC 5321, 4.5.3.1.1).
const longestLocalPart = 64

// Address is one mail address with its domain in lower-case A-labels; not ok where the text is no address, more than
// one, or could end an envelope command or a header.
func Address(text string) (address string, ok bool) {
	local, domain := split(strings.Trim(text, " "))
	domain, err := sendbox.Domain(domain)
	// Some readers decode encoded words wherever they stand (RFC 2047, 5 forbids them here).
	if err != nil || !isLocalPart(local) || strings.Contains(local, "=?") || len(local) > longestLocalPart {
		return "", false
	}
	return local + "@" + domain, true
}

// Sender is [sendbox.ParseMailbox] for a mail's own headers: a quoted name loses its quotes, and the address must be
// one.
func Sender(text string, fallback sendbox.Mailbox) (sender sendbox.Mailbox, ok bool) {
	sender = sendbox.ParseMailbox(text, fallback)
	sender.Address, ok = Address(sender.Address)
	if inner, quoted := unquoted(sender.Name); quoted {
		sender.Name = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(inner)
	}
	return sender, ok
}

// split parts an address at its last "@"; without one all of it is the domain.
func split(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	return address[:max(at, 0)], address[at+1:]
}

func isLocalPart(local string) bool {
	special, text := `()<>[]:;@\,"`, local
	inner, ok := unquoted(local)
	if ok {
		// Some readers end an address at a bracket or begin a comment at one, in quotes or not.
		special, text = `"\<>()[]`, inner
	}
	return local != "" && utf8.ValidString(local) && !strings.ContainsFunc(text, func(c rune) bool {
		return unicode.IsControl(c) || !ok && unicode.IsSpace(c) || strings.ContainsRune(special, c)
	})
}

// unquoted is what stands between two quotes.
func unquoted(text string) (inner string, ok bool) {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return "", false
	}
	return text[1 : len(text)-1], true
}
