package mail_test

import (
	"strings"
	"testing"

	"sendbox"
	"sendbox/mail"
)

func TestAnAddressIsOneAddress(t *testing.T) {
	for text, expected := range map[string]string{
		" Alice@EXAMPLE.Net ":  "Alice@example.net",
		"user@münchen.example": "user@xn--mnchen-3ya.example",
		`"a b"@x.test`:         `"a b"@x.test`,
		"ü@x.test":             "ü@x.test",
	} {
		if got, ok := mail.Address(text); !ok || got != expected {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{
		"", "a", "a@", "@x.test", "a@b@c.test", "a@x.test, b@x.test", "a,b@x.test", "a@x.test\r\nBcc: b@x.test",
		"a@[127.0.0.1]", "a b@x.test", "<a@x.test>", "=?utf-8?Q?b?=@x.test", `"a ](b"@x.test`, `"a> <b"@x.test`,
		`"a"b"@x.test`, `"@x.test`, "a@x..test", "a@x.test.", strings.Repeat("a", 65) + "@x.test", "a\u0085@x.test",
		"a\xff@x.test", "a@" + strings.Repeat("b.", 130) + "test",
	} {
		if got, ok := mail.Address(text); ok {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSendersAreReadWithAndWithoutQuotes(t *testing.T) {
	own := sendbox.Mailbox{Address: "team@example.com", Name: "Team"}
	for text, expected := range map[string]sendbox.Mailbox{
		`"A, B" <x@Y.test>`:    {Address: "x@y.test", Name: "A, B"},
		"A, B <x@y.test>":      {Address: "x@y.test", Name: "A, B"},
		`"a \"b\"" <x@y.test>`: {Address: "x@y.test", Name: `a "b"`},
		"x@y.test":             {Address: "x@y.test"},
		"Only a name":          {Address: "team@example.com", Name: "Only a name"},
		"":                     own,
	} {
		if got, ok := mail.Sender(text, own); !ok || got != expected {
			t.Errorf("%q became %v", text, got)
		}
	}
	if got, ok := mail.Sender("A <x@y@z.test>", own); ok {
		t.Error(got)
	}
}
