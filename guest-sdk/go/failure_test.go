package sendbox_test

import (
	"testing"
	"time"

	"sendbox"
	"sendbox/testkit"
)

func TestEveryStatusCodeHasItsKind(t *testing.T) {
	for status, kind := range map[int]sendbox.FailureKind{
		100: sendbox.Unknown,
		301: sendbox.InvalidSettings,
		303: sendbox.Unknown,
		307: sendbox.InvalidSettings,
		400: sendbox.Rejected,
		401: sendbox.Unauthorized,
		402: sendbox.Throttled,
		403: sendbox.Unauthorized,
		404: sendbox.InvalidSettings,
		408: sendbox.Throttled,
		413: sendbox.InvalidSettings,
		422: sendbox.Rejected,
		425: sendbox.Throttled,
		429: sendbox.Throttled,
		500: sendbox.Unknown,
		502: sendbox.Unknown,
		503: sendbox.Unavailable,
		599: sendbox.Unknown,
	} {
		if got := sendbox.KindOfStatus(status); got != kind {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestAPageOfAProxySaysNothingOfTheMessage(t *testing.T) {
	page := sendbox.StatusFailure(testkit.Response(400, " <html>nginx</html>"))
	if page.Kind != sendbox.InvalidSettings {
		t.Error(page.Kind)
	}
}

func TestRetryAfterIsReadAsSecondsAndAsADate(t *testing.T) {
	retry := func(value string) sendbox.Pair { return sendbox.Pair{"retry-after", value} }
	for _, row := range []struct {
		headers  []sendbox.Pair
		expected time.Duration
	}{
		{[]sendbox.Pair{retry("120")}, 2 * time.Minute},
		{[]sendbox.Pair{retry("Sun, 06 Nov 1994 08:50:37 GMT")}, time.Minute},
		{
			[]sendbox.Pair{retry("Sun, 06 Nov 1994 08:50:37 GMT"), {"date", "Sun, 06 Nov 1994 08:50:07 GMT"}},
			30 * time.Second,
		},
		{[]sendbox.Pair{retry("Sun, 06 Nov 1994 08:00:00 GMT")}, 0},
		{[]sendbox.Pair{retry("soon")}, -1},
		{[]sendbox.Pair{retry("-1")}, -1},
		{nil, -1},
	} {
		response := testkit.Response(429, "", row.headers...)
		response.ReceivedAt = time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
		got := time.Duration(-1)
		if delay := sendbox.StatusFailure(response).RetryAfter; delay != nil {
			got = *delay
		}
		if got != row.expected {
			t.Errorf("%v: %v", row.headers, got)
		}
	}
}

func TestTheMessageQuotesTextOnOneLineAndNeverMarkup(t *testing.T) {
	for body, expected := range map[string]string{
		"too\r\nlarge\n":      "HTTP status 413: too large",
		"<html>oops</html>":   "HTTP status 413",
		"\xEF\xBB\xBF plain ": "HTTP status 413: plain",
		"":                    "HTTP status 413",
	} {
		if got := sendbox.StatusFailure(testkit.Response(413, body)).Message; got != expected {
			t.Errorf("%q: %s", body, got)
		}
	}
}
