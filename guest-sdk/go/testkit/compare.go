package testkit

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"sendbox"
	"sendbox/internal/recorded"
)

var (
	first  = recorded.First
	inside = recorded.Inside
)

// compare compares a request with a recorded one: headers as a set, JSON by value and by the order of keys. A signature
// of AWS is one that the settings can make.
func compare(t *testing.T, expected any, made *sendbox.Request, settings any) {
	t.Helper()
	equal(t, "method", inside(expected, "method"), made.Method)
	equal(t, "url", inside(expected, "url"), made.URL)
	wanted, got := recorded.Pairs(inside(expected, "headers")), headers(made)
	if isSigned(wanted) {
		verify(t, made, settings)
		wanted, got = withoutSignature(wanted), withoutSignature(got)
	}
	equal(t, "headers", sorted(wanted), sorted(got))
	if raw := inside(expected, "body", "raw"); raw != nil {
		equal(t, "body", raw, string(made.Body))
	} else if value := inside(expected, "body", "value"); value != nil {
		equal(t, "body", value, parsed(made.Body))
	}
}

// equal compares JSON values by their texts, so that the order of keys counts.
func equal(t *testing.T, what string, expected, got any) {
	t.Helper()
	text := func(value any) string { return new(sendbox.Payload).With("", value).String() }
	if expected, got := text(expected), text(got); expected != got {
		t.Errorf("%s\n  expected %s\n  got      %s", what, expected, got)
	}
}

// headers are those that the host would send, the credential encoded.
func headers(request *sendbox.Request) []sendbox.Pair {
	all := slices.DeleteFunc(slices.Clone(request.Headers), func(header sendbox.Pair) bool {
		return header[0] == "accept" // What every HTTP client adds by itself is not recorded.
	})
	switch credential := request.Credential; credential.Scheme {
	case sendbox.Basic:
		login := base64.StdEncoding.EncodeToString([]byte(credential.Name + ":" + credential.Value))
		all = append(all, sendbox.Pair{"authorization", "Basic " + login})
	case sendbox.Bearer:
		all = append(all, sendbox.Pair{"authorization", "Bearer " + credential.Value})
	case sendbox.InHeader:
		all = append(all, sendbox.Pair{credential.Name, credential.Value})
	}
	return all
}

func sorted(pairs []sendbox.Pair) any {
	lines := make([]string, len(pairs))
	for i, pair := range pairs {
		lines[i] = strings.ToLower(pair[0]) + ": " + strings.TrimSpace(pair[1])
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func parsed(body []byte) any {
	value, err := sendbox.ParsePayload(`{"":` + string(body) + `}`)
	if err != nil {
		return string(body)
	}
	return inside(value, "")
}
