package mail

import (
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
)

const (
	// The longest line that should be sent as it is (RFC 5322, 2.1.1).
	longestLine = 78
	// The bytes of a line of 76 letters of base64, the longest there may be (RFC 2045, 6.8).
	bytesOfLine = 57
)

// alternatives are one text in two forms, behind the fields that their head has already. The later one is preferred
// (RFC 2046, 5.1.4). No encoding of a body gives "=_": the boundary is part of none.
func alternatives(head *fields, token, text, html string) string {
	boundary := "=_" + token
	head.ready("Content-Type", "multipart/alternative;", `boundary="`+boundary+`"`)
	begin, end := "--"+boundary+"\r\n", "--"+boundary+"--\r\n"
	return head.text.String() + "\r\n" +
		begin + part(&fields{}, "text/plain", text) +
		begin + part(&fields{}, "text/html", html) + end
}

// part is one body behind the fields that say how to read it, and those that its head has already.
func part(head *fields, contentType, text string) string {
	encoding, lines := encode(text)
	head.ready("Content-Type", contentType+";", "charset=utf-8")
	head.ready("Content-Transfer-Encoding", encoding)
	return head.text.String() + "\r\n" + lines
}

// encode gives a body in the shortest way that keeps it, each of its lines ended by CRLF. No way gives "=_".
func encode(text string) (encoding, lines string) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	escaped := 0
	for i := range len(text) {
		if c := text[i]; c == '=' || (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			escaped++
		}
	}
	switch {
	case isReady(text):
		return "7bit", strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
	case escaped*6 <= len(text): // Each in three letters; base64 takes a third more than the text.
		return "quoted-printable", quotedPrintable(text)
	default:
		return "base64", inBase64(strings.ReplaceAll(text, "\n", "\r\n"))
	}
}

func isReady(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		foreign := func(c rune) bool { return (c < ' ' || c > '~') && c != '\t' }
		if len(line) > longestLine || strings.Contains(line, "=_") || strings.ContainsFunc(line, foreign) {
			return false
		}
	}
	return true
}

func quotedPrintable(text string) string {
	var lines strings.Builder
	writer := quotedprintable.NewWriter(&lines)
	// Writing to a string cannot fail.
	writer.Write([]byte(text + "\n"))
	writer.Close()
	return lines.String()
}

func inBase64(text string) string {
	var lines strings.Builder
	for len(text) > 0 {
		line := text[:min(len(text), bytesOfLine)]
		lines.WriteString(base64.StdEncoding.EncodeToString([]byte(line)))
		lines.WriteString("\r\n")
		text = text[len(line):]
	}
	return lines.String()
}
