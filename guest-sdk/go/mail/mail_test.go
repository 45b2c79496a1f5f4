package mail_test

import (
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"sendbox"
	"sendbox/mail"
)

func mailOf(subject, text, html string) *mail.Mail {
	return &mail.Mail{
		From:    sendbox.Mailbox{Address: "noreply@mail.example.com", Name: "Example, Inc."},
		To:      "alice@example.net",
		Subject: subject,
		Text:    text,
		HTML:    html,
		ID:      "0199-a/b",
		Date:    time.Date(2026, time.January, 2, 4, 4, 5, 0, time.FixedZone("", 3600)),
	}
}

func composed(t *testing.T, mail *mail.Mail) string {
	t.Helper()
	text, err := mail.Compose()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\r\n") {
		foreign := func(c rune) bool { return (c < ' ' || c > '~') && c != '\t' }
		if len(line) > 998 || strings.ContainsFunc(line, foreign) {
			t.Errorf("a line that no server takes: %q", line)
		}
	}
	return string(text)
}

// read is the mail as a reader of Go's own has it.
func read(t *testing.T, text string) *netmail.Message {
	t.Helper()
	message, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func decoded(t *testing.T, value string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAMailIsTheSameEachTimeAndCarriesItsIDOnTheSendersDomain(t *testing.T) {
	own := mailOf("Code 123456", "Hello", "")
	own.To = "alice@EXAMPLE.net"
	own.ReplyTo = sendbox.Mailbox{Address: "help@example.com", Name: `say "hi"`}
	own.Headers = []sendbox.Pair{{"X-Tag", "a"}, {"X-Tag", "b"}}
	text := composed(t, own)
	if text != composed(t, own) {
		t.Error("two mails differ")
	}
	expected := `From: "Example, Inc." <noreply@mail.example.com>
To: <alice@example.net>
Reply-To: "say \"hi\"" <help@example.com>
Subject: Code 123456
Message-ID: <0199-a-b@mail.example.com>
Date: Fri, 02 Jan 2026 03:04:05 +0000
X-Tag: a
X-Tag: b
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Hello
`
	if text != strings.ReplaceAll(expected, "\n", "\r\n") {
		t.Error(text)
	}
}

func TestAMailWithoutIDAndDateHasItsOwn(t *testing.T) {
	own := mailOf("x", "text", "<p>html</p>")
	own.ID, own.Date = "", time.Time{}
	first, second := read(t, composed(t, own)).Header, read(t, composed(t, own)).Header
	id := first.Get("Message-ID")
	if id == second.Get("Message-ID") || !strings.HasSuffix(id, "@mail.example.com>") || len(id) < 32 {
		t.Error(id)
	}
	if first.Get("Content-Type") == second.Get("Content-Type") {
		t.Error("two mails have one boundary")
	}
	if date, err := first.Date(); err != nil || date.Year() < 2026 {
		t.Error(date, err)
	}
}

func TestSubjectsAndNamesInManyScriptsAreReadBackAsTheyWere(t *testing.T) {
	texts := []string{
		"Grüße aus München", strings.Repeat("验证码 123456", 20), strings.Repeat("🌍", 40), " lone ", "two  spaces",
		strings.Repeat("a", 901), "Re: " + strings.Repeat("word: ", 40) + "end",
	}
	for _, text := range texts {
		own := mailOf(text, "x", "")
		own.From.Name = text
		header := read(t, composed(t, own)).Header
		if got := decoded(t, header.Get("Subject")); got != text {
			t.Errorf("%q became %q", text, got)
		}
		from, err := netmail.ParseAddress(header.Get("From"))
		if err != nil || from.Name != text || from.Address != own.From.Address {
			t.Errorf("%q became %v %v", text, from, err)
		}
	}
}

func TestATextThatIsNoUTF8IsEncodedAsWhatAReaderWouldShow(t *testing.T) {
	for _, text := range []string{strings.Repeat("\x80", 99), "\xff" + strings.Repeat("\x80", 99)} {
		header := read(t, composed(t, mailOf(text, "x", ""))).Header
		if got := decoded(t, header.Get("Subject")); got != "\uFFFD" {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestAFieldsLinesAreShort(t *testing.T) {
	words := strings.Repeat("word: ", 40) + strings.Repeat("ü", 99)
	for _, subject := range []string{words, strings.Repeat("word: ", 40) + "end"} {
		head, _, _ := strings.Cut(composed(t, mailOf(subject, "x", "")), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if len(line) > 76 {
				t.Error(line)
			}
		}
	}
}

func TestABodyIsEncodedInTheShortestWayThatKeepsIt(t *testing.T) {
	for text, encoding := range map[string]string{
		"a\nb\r\nc\rd":                  "7bit",
		strings.Repeat("a", 1001):       "quoted-printable",
		"x =_ y and more of it":         "quoted-printable",
		"Grüße aus der Stadt, bis bald": "quoted-printable",
		strings.Repeat("ü", 600):        "base64",
		"nul\x01":                       "base64",
		"trailing \n ü and more":        "quoted-printable",
	} {
		mail := composed(t, mailOf("x", text, ""))
		if got := read(t, mail).Header.Get("Content-Transfer-Encoding"); got != encoding {
			t.Errorf("%q: %s", text, got)
		}
		if encoding == "7bit" && !strings.HasSuffix(mail, "\r\n\r\na\r\nb\r\nc\r\nd\r\n") {
			t.Errorf("%q", mail)
		}
	}
}

func TestTextAndHTMLBecomeAlternatives(t *testing.T) {
	const text, html = "Ein Gruß, und 1 = 1, wie immer\n", "<p>--=_0199-a-b</p>\n"
	message := read(t, composed(t, mailOf("x", text, html)))
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	var parts []string
	reader := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := reader.NextPart() // It decodes quoted-printable.
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(part)
		parts = append(parts, part.Header.Get("Content-Type")+"|"+strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if !slices.Equal(parts, []string{"text/plain; charset=utf-8|" + text, "text/html; charset=utf-8|" + html}) {
		t.Errorf("%q", parts)
	}
}

func TestNoTextBeginsAnotherHeader(t *testing.T) {
	for _, evil := range []string{
		"Hi\r\nBcc: v@evil.test", "Hi\nBcc: v@evil.test", "Hi\rBcc: v", "A\"\r\nBcc: v", "ü\r\nBcc: v",
	} {
		own := mailOf(evil, evil, "")
		own.ID, own.From.Name, own.Headers = evil, evil, []sendbox.Pair{{"X-A", evil}}
		if header := read(t, composed(t, own)).Header; header.Get("Bcc") != "" {
			t.Error(header)
		}
	}
}

func TestAMailThatCannotBeIsRefused(t *testing.T) {
	for _, name := range []string{"X-A: b\r\nBcc", "Bcc", "bcc", "Content-Type", "", "X A", "To", "MIME-Version", "X-ü"} {
		own := mailOf("x", "y", "")
		own.Headers = []sendbox.Pair{{name, "v@evil.test"}}
		refused(t, own, sendbox.InvalidSettings)
	}
	own := mailOf("x", "y", "")
	own.From.Address = "a@x.test>, <b@x.test"
	refused(t, own, sendbox.InvalidSettings)
	own = mailOf("x", "y", "")
	own.To = "a@x.test\r\nBcc: b@x.test"
	refused(t, own, sendbox.Rejected)
	own = mailOf("x", "y", "")
	own.ReplyTo.Address = "nobody"
	refused(t, own, sendbox.Rejected)
}

func refused(t *testing.T, mail *mail.Mail, kind sendbox.FailureKind) {
	t.Helper()
	text, err := mail.Compose()
	if failure, ok := err.(*sendbox.Failure); !ok || failure.Kind != kind || text != nil {
		t.Errorf("%q: %v", text, err)
	}
}
