package sendbox_test

import (
	"os"
	"testing"

	"sendbox"
	"sendbox/internal/recorded"
	"sendbox/testkit"
)

// The recorded pure functions of the peer's connector kit.
func kitRows(t *testing.T, name string) func(func(recorded.Case) bool) {
	text, err := os.ReadFile(testkit.Above(t, "guest-sdk/vectors/"+name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(recorded.Case) bool) {
		for row, err := range recorded.Cases(string(text)) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(row) {
				return
			}
		}
	}
}

func TestTemplatesRenderAsThePeerRendersThem(t *testing.T) {
	for _, file := range []string{"render", "number-format"} {
		for row := range kitRows(t, file) {
			expected := row.At("expect")
			if row.At("name") == "quirk_prototype_keys" {
				expected = row.At("template") // Inherited names count as missing.
			}
			payload, _ := row.At("payload").(*sendbox.Payload)
			if got := sendbox.Render(row.At("template").(string), payload); got != expected {
				t.Errorf("%s: expected %q, got %q", row.Name(), expected, got)
			}
		}
	}
}

func TestTemplatesAreChosenAsThePeerChoosesThem(t *testing.T) {
	type template struct {
		sendbox.Template
		row any
	}
	for row := range kitRows(t, "template-choice") {
		args := row.At("args").([]any)
		var templates sendbox.Templates[template]
		list, _ := recorded.Inside(args[1], "templates").([]any)
		for _, entry := range list {
			usageType := recorded.Inside(entry, "usageType").(string)
			templates = append(templates, template{sendbox.Template{UsageType: usageType}, entry})
		}
		var got any
		if chosen, err := templates.Choose(args[0].(string)); err == nil {
			got = recorded.Inside(chosen.row, "c")
		}
		if expected := recorded.Inside(row.At("expect"), "c"); got != expected {
			t.Errorf("%s: expected %v, got %v", row.Name(), expected, got)
		}
	}
}

func TestSendersAreReadAsThePeerReadsThem(t *testing.T) {
	for row := range kitRows(t, "mailbox") {
		if row.At("fn") != "parseSendFrom" {
			continue
		}
		args := row.At("args").([]any)
		word := func(value any) string {
			text, _ := value.(string)
			return text
		}
		got := sendbox.ParseMailbox(word(args[0]), sendbox.Mailbox{Address: word(args[1]), Name: word(args[2])})
		expected := sendbox.Mailbox{Address: word(row.At("expect", "email")), Name: word(row.At("expect", "name"))}
		if got != expected {
			t.Errorf("%s: expected %v, got %v", row.Name(), expected, got)
		}
	}
}
