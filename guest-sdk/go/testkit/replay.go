package testkit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sendbox"
	"sendbox/internal/recorded"
)

// Replay replays the recorded cases of a file, one JSON object a line: the same settings, message and responses in,
// the same request and outcome out; or the same mail, which any mail server takes. Each case is a test of its own.
func Replay[S any](t *testing.T, connector sendbox.Connector[S], file string) {
	t.Helper()
	replayFile(t, connector, file, false)
}

// replayFile replays a file. A peer writes values into HTML as they are.
func replayFile[S any](t *testing.T, connector sendbox.Connector[S], file string, peer bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for recorded, err := range recorded.Cases(string(text)) {
		if err != nil {
			t.Fatalf("%s holds a line that is no case", file)
		}
		t.Run(recorded.Name(), func(t *testing.T) { replay(t, connector, recorded, peer) })
	}
}

// ReplayGolden is [Replay] of the recordings of the peer's connector: <id>.jsonl in the repository's tests/golden.
func ReplayGolden[S any](t *testing.T, connector sendbox.Connector[S]) {
	t.Helper()
	file := Golden(t, connector.About.ID+".jsonl")
	replayFile(t, connector, file, true)
}

// Golden is the path of a file of recordings; see [ReplayGolden].
func Golden(t *testing.T, name string) string {
	t.Helper()
	return Above(t, filepath.Join("tests", "golden", name))
}

// Above is the path of a file in a folder above the test's own.
func Above(t *testing.T, name string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for above := filepath.Dir(here); above != here; here, above = above, filepath.Dir(above) {
		file := filepath.Join(above, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	t.Fatalf("no folder above has %s", name)
	return ""
}

func replay[S any](t *testing.T, connector sendbox.Connector[S], recorded recorded.Case, peer bool) {
	var requests []*sendbox.Request
	exchange := func(request *sendbox.Request) (*sendbox.Response, error) {
		requests = append(requests, request)
		return recorded.Answer()
	}
	var submitted *Submission
	connector = withServer(connector, &submitted, nil)
	message := recorded.Message()
	message.UnescapedHTML = peer
	_, failure := connector.Run(recorded.Settings(), message, exchange)
	if recorded.Unresolved() {
		requests = nil
	}
	expected := expectationOf(recorded, connector.About.Channel)
	if len(requests) > 1 || expected.request == nil && len(requests) > 0 {
		t.Fatalf("made %d requests", len(requests))
	}
	if expected.request != nil {
		if len(requests) == 0 {
			t.Fatalf("made no request: %v", failure)
		}
		compare(t, expected.request, requests[0], recorded.At("settings"))
	}
	equal(t, "mail submitted", expected.session != nil, submitted != nil)
	if expected.session != nil && submitted != nil {
		compareMail(t, expected.session, submitted)
	}
	equal(t, "accepted", expected.accepted, failure == nil)
	if failure != nil && expected.kind != nil {
		equal(t, "kind", expected.kind, failure.Kind.String())
	}
}

// expectation is what a connector is to do in a case.
type expectation struct {
	// Nil where there is none.
	request any
	// With a mail server; nil where there is none.
	session  any
	accepted bool
	// Nil where any will do.
	kind any
}

// expectationOf is what the peer did, but for two deviations that all connectors have: a redirect that the peer
// followed ends here, as a failure; and in a mail's recipient a line break, which would end a header, is refused.
func expectationOf(recorded recorded.Case, channel sendbox.Channel) expectation {
	if channel == sendbox.Email && recorded.Name() == "to-crlf_injection" {
		return expectation{kind: sendbox.Rejected.String()}
	}
	tags, _ := recorded.At("tags").([]any)
	return expectation{
		request:  first(recorded.At("expect", "requests")),
		session:  first(recorded.At("expect", "smtp")),
		accepted: recorded.At("expect", "outcome", "ok") == true && !slices.Contains(tags, "redirect"),
		kind:     recorded.At("expect", "outcome", "kind"),
	}
}
