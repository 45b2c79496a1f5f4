package sendbox

import (
	"strings"
	"unicode"
)

// Mailbox is a mail address and the name that stands before it, as Logto's connector kit reads and writes them:
// never quoted.
type Mailbox struct {
	// Not validated: that is the provider's.
	Address string
	// Empty where there is none.
	Name string
}

// ParseMailbox reads "Name <address>", an address alone, or a display name alone, which keeps the fallback's
// address. An empty text is the fallback. What would end a header or an address is left out.
func ParseMailbox(text string, fallback Mailbox) Mailbox {
	text = withoutControls(text)
	fallback = Mailbox{bare(fallback.Address), bare(fallback.Name)}
	name, address, ok := splitMailbox(text)
	switch {
	case text == "":
		return fallback
	case ok && bare(address) == "":
		return Mailbox{fallback.Address, bare(name)}
	case ok:
		return Mailbox{bare(address), bare(name)}
	case strings.Contains(text, "@") && len(strings.Fields(text)) == 1:
		return Mailbox{Address: bare(text)}
	default:
		return Mailbox{fallback.Address, bare(text)}
	}
}

// String is "Name <address>", or the address alone.
func (m Mailbox) String() string {
	if m.Name == "" {
		return m.Address
	}
	return m.Name + " <" + m.Address + ">"
}

// Sender says who sends: the overriding text's SendFrom with its variables filled in, else the settings' own.
func (m *Message) Sender(own Mailbox) Mailbox {
	if m.Content == nil {
		return ParseMailbox("", own)
	}
	return m.mailbox(m.Content.SendFrom, own)
}

// ReplyTo says where answers go, where the overriding text does with an address of its own; else it is empty.
func (m *Message) ReplyTo() string {
	switch {
	case m.Content == nil:
		return ""
	case hasVariable(m.Content.ReplyTo):
		return m.filledMailbox(m.Content.ReplyTo, true)
	default:
		return withoutControls(m.Content.ReplyTo)
	}
}

// mailbox is [ParseMailbox] of a text with variables. It is read first and filled in then, and in the name alone: a
// value that stands for an address, or a part of one, leaves the fallback's address in its place.
func (m *Message) mailbox(text string, own Mailbox) Mailbox {
	read := ParseMailbox(text, own)
	if !hasVariable(text) {
		return read
	}
	own = Mailbox{bare(own.Address), bare(own.Name)}
	if hasVariable(read.Address) {
		read.Address = own.Address
	}
	if read.Name = bare(renderWith(read.Name, m.Payload, nameWords)); read.Name == "" {
		read.Name = own.Name
	}
	return read
}

// filledMailbox is a mailbox or, unless whole, a display name on one line: an address is there only where the text
// has one.
func (m *Message) filledMailbox(text string, whole bool) string {
	if !hasVariable(text) {
		return OneLine(text)
	}
	read := m.mailbox(text, Mailbox{})
	switch {
	case read.Address != "":
		return read.String()
	case whole:
		return ""
	default:
		return read.Name
	}
}

func hasVariable(text string) bool {
	return strings.Contains(text, "{{")
}

// nameWords is a value in a display name: what means something in an address, ends a line or hides in it is a space.
func nameWords(value string) string {
	return strings.Join(strings.FieldsFunc(value, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) ||
			strings.ContainsRune("<>()[]\\,;:\"@＠﹫\u2028\u2029", c)
	}), " ")
}

// withoutControls deletes control characters, where [OneLine] puts a space.
func withoutControls(text string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if isASCIIControl(c) {
			return -1
		}
		return c
	}, text))
}

func bare(text string) string {
	return withoutControls(strings.NewReplacer("<", "", ">", "").Replace(text))
}

// splitMailbox finds name and address of "Name <address>". The address begins at the first "<" behind any other ">".
func splitMailbox(text string) (name, address string, ok bool) {
	inner, ok := strings.CutSuffix(text, ">")
	behind := strings.LastIndexByte(inner, '>') + 1
	open := strings.IndexByte(inner[behind:], '<')
	if !ok || open < 0 {
		return "", "", false
	}
	return inner[:behind+open], inner[behind+open+1:], true
}
