package sendbox_test

import (
	"testing"

	"sendbox"
	"sendbox/testkit"
)

// What people may choose who ask for a message.
const (
	foreignName = "<a href=\"https://evil.test\">ceo@bank.test</a>, V\u202e <v@evil.test>"
	shownName   = "a href= https //evil.test ceo bank.test /a V v evil.test"
)

func foreign(content sendbox.Content) *sendbox.Message {
	message := testkit.Message("alice@example.net", "SignIn",
		`{"code":"123456","name":"<a href=\"https://evil.test\">ceo@bank.test</a>, V\u202e <v@evil.test>","mail":"v@evil.test"}`)
	message.Content = &content
	return message
}

func TestAValueIsANameAndNeverAnAddress(t *testing.T) {
	for _, row := range [][3]string{
		{"{{name}}", shownName + " <own@x.test>", shownName},
		{"{{mail}}", "v evil.test <own@x.test>", "v evil.test"},
		{"{{name}} <team@x.test>", shownName + " <team@x.test>", shownName + " <team@x.test>"},
		{"Team <{{mail}}>", "Team <own@x.test>", "Team"},
		{"<{{mail}}>", "Own <own@x.test>", ""},
		{"{{code}}@x.test", "Own <own@x.test>", ""},
		{"Team <team@x.test>", "Team <team@x.test>", "Team <team@x.test>"},
	} {
		message := foreign(sendbox.Content{SendFrom: row[0]})
		if sender := message.Sender(sendbox.Mailbox{Address: "own@x.test", Name: "Own"}).String(); sender != row[1] {
			t.Errorf("%s: %s", row[0], sender)
		}
		if text := message.FilledContent().SendFrom; text != row[2] {
			t.Errorf("%s: %s", row[0], text)
		}
	}
	for _, row := range [][2]string{
		{"{{mail}}", ""},
		{"Help <{{mail}}>", ""},
		{"help+{{code}}@x.test", ""},
		{"Help {{mail}} <help@x.test>", "Help v evil.test <help@x.test>"},
		{"help@x.test", "help@x.test"},
	} {
		message := foreign(sendbox.Content{ReplyTo: row[0]})
		if reply := message.ReplyTo(); reply != row[1] || message.FilledContent().ReplyTo != row[1] {
			t.Errorf("%s: %s", row[0], reply)
		}
	}
}

func TestAValueIsTextInHTMLAndNeverMarkup(t *testing.T) {
	message := foreign(sendbox.Content{Body: "<p title='{{name}}'>", Text: "{{name}}"})
	escaped := "&lt;a href=&quot;https://evil.test&quot;&gt;ceo@bank.test&lt;/a&gt;, V\u202e &lt;v@evil.test&gt;"
	if content := message.FilledContent(); content.Body != "<p title='"+escaped+"'>" || content.Text != foreignName {
		t.Error(content)
	}
	message.UnescapedHTML = true
	if body := message.FilledContent().Body; body != "<p title='"+foreignName+"'>" {
		t.Error(body)
	}
}
