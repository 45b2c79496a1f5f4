package sendbox_test

import (
	"testing"

	"sendbox"
)

func payload(t *testing.T, text string) *sendbox.Payload {
	t.Helper()
	payload, err := sendbox.ParsePayload(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return payload
}

func TestAPayloadIsPrintedAsJavaScriptPrintsIt(t *testing.T) {
	for _, row := range []struct{ name, text, expected string }{
		{
			"keys come in JavaScript's order at every depth",
			`{"b":1,"10":2,"a":{"x":0,"2":1,"01":2,"1":3},"9":[{"z":1,"0":2}]}`,
			`{"9":[{"0":2,"z":1}],"10":2,"b":1,"a":{"1":3,"2":1,"x":0,"01":2}}`,
		},
		{"a repeated key keeps its first place and its last value", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{
			"numbers",
			`{"a":[1.0,-0,1e21,12345678901234567890,9007199254740993,1e-7,5e-324,-1.5e300,0.00000123,100.5]}`,
			`{"a":[1,0,1e+21,12345678901234567000,9007199254740992,1e-7,5e-324,-1.5e+300,0.00000123,100.5]}`,
		},
		{
			"half a surrogate pair becomes the replacement character",
			`{"a":"\ud83d","b":"\uD83D\uDE00 \\ud83d \udc00\ud83dx"}`,
			"{\"a\":\"\uFFFD\",\"b\":\"\U0001F600 \\\\ud83d \uFFFD\uFFFDx\"}",
		},
		{"markup and line separators are not escaped", "{\"a\":\"<&>\u2028\"}", "{\"a\":\"<&>\u2028\"}"},
	} {
		if got := payload(t, row.text).String(); got != row.expected {
			t.Errorf("%s\n  expected %s\n  got      %s", row.name, row.expected, got)
		}
	}
}

func TestAChangedPayloadKeepsItsOrderAndLeavesTheFirstAlone(t *testing.T) {
	first := payload(t, `{"code":"1","locale":"en"}`)
	for expected, changed := range map[string]*sendbox.Payload{
		`{"code":"2","locale":"en"}`:          first.With("code", "2"),
		`{"7":true,"code":"1","locale":"en"}`: first.With("7", true),
		`{"code":"1"}`:                        first.Without("locale"),
		`{"code":"1","locale":"en"}`:          first,
	} {
		if got := changed.String(); got != expected {
			t.Errorf("expected %s, got %s", expected, got)
		}
	}
}

func TestWhatIsNoObjectIsRejected(t *testing.T) {
	for _, text := range []string{"", "[]", "null", "{", `"a"`, `{} {}`, `{"a":1e999}`} {
		if _, err := sendbox.ParsePayload(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestInheritedNamesCountAsMissing(t *testing.T) {
	got := sendbox.Render("{{constructor}} {{ toString.x }} [{{list.constructor}}]", payload(t, `{"list":[]}`))
	if got != "{{constructor}} {{ toString.x }} []" {
		t.Error(got)
	}
}

func TestValuesAreInsertedAsTheyAreAndNotReadAgain(t *testing.T) {
	got := sendbox.Render("{{{a}}}{{a", payload(t, `{"a":"{{b}}$&<b>","b":"x"}`))
	if got != "{{{b}}$&<b>}{{a" {
		t.Error(got)
	}
}
