package testkit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendbox"
)

// Replay replays the recorded cases of a file, one JSON object a line: the same settings, message and responses in,
// the same request and outcome out. Each case is a test of its own.
func Replay[S any](t *testing.T, connector sendbox.Connector[S], file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		row, err := sendbox.ParsePayload(line)
		if err != nil {
			t.Fatalf("%s holds a line that is no case", file)
		}
		recorded := newCase(row)
		t.Run(recorded.name, func(t *testing.T) { replayCase(t, connector, recorded) })
	}
}

// ReplayGolden is [Replay] of the recordings of the peer's connector: <id>.jsonl in the folder that SENDBOX_GOLDEN
// names, else in shared/golden of a folder above this one. The test is skipped where there is none.
func ReplayGolden[S any](t *testing.T, connector sendbox.Connector[S]) {
	t.Helper()
	folder := os.Getenv("SENDBOX_GOLDEN")
	for above, last := ".", ""; folder == "" && above != last; {
		above, last = parent(above), above
		if _, err := os.Stat(filepath.Join(above, "shared", "golden")); err == nil {
			folder = filepath.Join(above, "shared", "golden")
		}
	}
	file := filepath.Join(folder, connector.About.ID+".jsonl")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no recorded cases: SENDBOX_GOLDEN names no folder with %s.jsonl", connector.About.ID)
	}
	Replay(t, connector, file)
}

func parent(folder string) string {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return folder
	}
	return filepath.Dir(absolute)
}

func replayCase[S any](t *testing.T, connector sendbox.Connector[S], recorded recordedCase) {
	var requests []*sendbox.Request
	settings := at(recorded.row, "settings").(*sendbox.Payload).String()
	_, failure := connector.Run(settings, recorded.message(), func(request *sendbox.Request) (*sendbox.Response, error) {
		requests = append(requests, request)
		return recorded.answer()
	})
	if recorded.faulty() {
		requests = nil // Without a name there is nothing on the wire, though a request was made.
	}
	expect := func(what string, expected, got any) {
		if expected, got := text(expected), text(got); expected != got {
			t.Errorf("%s\n  expected %s\n  got      %s", what, expected, got)
		}
	}
	expected := recorded.expected(connector.About.Channel)
	if len(requests) > 1 || expected.request == nil && len(requests) > 0 {
		t.Fatalf("made %d requests", len(requests))
	}
	if expected.request != nil {
		if len(requests) == 0 {
			t.Fatalf("made no request: %v", failure)
		}
		compare(expect, expected.request, requests[0])
	}
	expect("accepted", expected.accepted, failure == nil)
	if failure != nil && expected.kind != nil {
		expect("kind", expected.kind, failure.Kind.String())
	}
}

// compare compares a request with a recorded one: headers as a set, JSON by value and by the order of keys.
func compare(expect func(string, any, any), recorded any, made *sendbox.Request) {
	expect("method", at(recorded, "method"), made.Method)
	expect("url", at(recorded, "url"), made.URL)
	expect("headers", sorted(pairs(at(recorded, "headers"))), sorted(headers(made)))
	body := at(recorded, "body")
	if raw, ok := at(body, "raw").(string); ok {
		expect("body", raw, string(made.Body))
	} else if value := at(body, "value"); value != nil {
		expect("body", text(value), text(parsed(made.Body)))
	}
}

// headers are those that the host would send, the credential encoded.
func headers(request *sendbox.Request) []sendbox.Pair {
	all := slices.DeleteFunc(slices.Clone(request.Headers), func(header sendbox.Pair) bool {
		return header[0] == "accept" // What every HTTP client adds by itself is not recorded.
	})
	switch credential := request.Credential; credential.Scheme {
	case sendbox.Basic:
		all = append(all, sendbox.Pair{"authorization", "Basic " + base64Of(credential.Name+":"+credential.Value)})
	case sendbox.Bearer:
		all = append(all, sendbox.Pair{"authorization", "Bearer " + credential.Value})
	case sendbox.InHeader:
		all = append(all, sendbox.Pair{credential.Name, credential.Value})
	}
	return all
}
