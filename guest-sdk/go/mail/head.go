package mail

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"sendbox"
)

const (
	// Where a line is folded: two before RFC 5322 asks for it (2.1.1), for encoded words (RFC 2047, 2).
	width = 76
	// The longest word that stays as it is: with any name before it, its line is within 998 bytes.
	longestWord = 900
	// The letters of base64 in the longest encoded word: 75 (RFC 2047, 2) without its frame, in whole groups.
	longestEncoded = 60
	wordBegin      = "=?utf-8?B?"
	wordEnd        = "?="
)

// fields are header fields under construction (RFC 5322, 2.2 and 3.2): folded lines, encoded words (RFC 2047), mailboxes.
// Control characters never reach a line, so no text ends its field.
type fields struct {
	text strings.Builder
	// Bytes of the last line.
	column int
	// Whether a field has its name and no word yet.
	begun bool
}

// unstructured is a field of text (RFC 5322, 2.2.1). Encoded words in it stay what they are, as in nodemailer.
func (f *fields) unstructured(name, value string) {
	value = sendbox.OneLine(value)
	f.begin(name)
	if isPlain(value) {
		f.put(strings.Split(value, " ")...)
	} else {
		f.encoded(value)
	}
	f.end()
}

// mailbox is a field of one mailbox (RFC 5322, 3.4).
func (f *fields) mailbox(name string, mailbox sendbox.Mailbox) {
	display := sendbox.OneLine(mailbox.Name)
	f.begin(name)
	switch {
	case display == "":
	// Some readers decode words inside quotes as well.
	case isPlain(display) && !strings.Contains(display, "=?"):
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `"`
		f.put(strings.Split(quoted, " ")...)
	default:
		f.encoded(display)
	}
	f.put("<" + mailbox.Address + ">")
	f.end()
}

// ready is a field of words that are ready; none of them is folded.
func (f *fields) ready(name string, words ...string) {
	f.begin(name)
	f.put(words...)
	f.end()
}

func (f *fields) begin(name string) {
	f.text.WriteString(name)
	f.text.WriteByte(':')
	f.column, f.begun = len(name)+1, true
}

func (f *fields) end() {
	f.text.WriteString("\r\n")
	f.column = 0
}

// put writes words, each behind a space, on a new line where one does not fit and is not the first: some readers lose
// a name that stands alone.
func (f *fields) put(words ...string) {
	for _, word := range words {
		if f.column+1+len(word) > width && !f.begun {
			f.end()
		}
		f.begun = false
		f.text.WriteByte(' ')
		f.text.WriteString(word)
		f.column += 1 + len(word)
	}
}

// encoded writes the text in encoded words, each of whole characters. A reader leaves out what is between them.
func (f *fields) encoded(text string) {
	text = strings.ToValidUTF8(text, "\uFFFD") // Where characters begin is known of UTF-8 alone.
	for text != "" {
		room := width - f.column - len(" "+wordBegin+wordEnd)
		if room < 8 { // A field's name may leave little of its line.
			room = longestEncoded
		}
		word := beginning(text, min(room, longestEncoded)/4*3)
		f.put(wordBegin + base64.StdEncoding.EncodeToString([]byte(word)) + wordEnd)
		text = text[len(word):]
	}
}

// beginning is as many whole characters as fit into so many bytes.
func beginning(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size]
}

// isPlain says whether a text can stand in a header as it is. Where lines are folded, readers drop all spaces but one.
func isPlain(text string) bool {
	if text == "" {
		return true
	}
	for word := range strings.SplitSeq(text, " ") {
		foreign := func(c rune) bool { return c < ' ' || c > '~' }
		if word == "" || len(word) > longestWord || strings.ContainsFunc(word, foreign) {
			return false
		}
	}
	return true
}
