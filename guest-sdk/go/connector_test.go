package sendbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sendbox"
	"sendbox/testkit"
)

type none struct{}

func requesting(request func() (*sendbox.Request, error)) sendbox.Connector[none] {
	return sendbox.Connector[none]{
		Request: func(*none, *sendbox.Message) (*sendbox.Request, error) { return request() },
	}
}

func failureOf(connector sendbox.Connector[none]) *sendbox.Failure {
	message := testkit.Message("+4915112345678", "SignIn", `{"code":123456}`)
	_, failure := testkit.Send(connector, "{}", message, testkit.Response(200, ""))
	return failure
}

func TestAPanicBecomesAFailureWithItsOwnMessage(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) { panic("no such region") }))
	if failure.Kind != sendbox.Unknown || failure.Code != "panic" || failure.Message != "no such region" {
		t.Error(failure)
	}
}

func TestAnErrorThatIsNilInsideIsAFailure(t *testing.T) {
	for _, err := range []error{(*sendbox.Failure)(nil), (*sendbox.HTTPError)(nil)} {
		failure := failureOf(requesting(func() (*sendbox.Request, error) { return nil, err }))
		if failure == nil || failure.Kind != sendbox.Unknown || failure.Code != "panic" {
			t.Error(failure)
		}
	}
}

func TestAnOrdinaryErrorBecomesAFailureWithItsOwnMessage(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) { return nil, errors.New("no such region") }))
	if failure.Kind != sendbox.Unknown || failure.Code != "error" || failure.Message != "no such region" {
		t.Error(failure)
	}
}

func TestAWrappedFailureKeepsItsKind(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) {
		return nil, fmt.Errorf("wrapped: %w", sendbox.Fail(sendbox.Throttled, "later"))
	}))
	if failure.Kind != sendbox.Throttled {
		t.Error(failure)
	}
}

func TestNeitherANumberNorACodeInsideItStaysReadable(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) {
		return nil, sendbox.Fail(sendbox.Rejected, "no 123456 to +4915112345678 or 4915112345678")
	}))
	if failure.Message != "no … to … or …" {
		t.Error(failure)
	}
}

func TestAHeaderWithALineBreakIsNotSentAndNamesItsHeader(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) {
		return sendbox.PostForm("https://x.example").SecretHeader("x-key", "a\r\nb: c"), nil
	}))
	if failure.Kind != sendbox.InvalidSettings || failure.Message != "x-key: a header value must not contain control characters" {
		t.Error(failure)
	}
}

func TestARecipientWithControlCharactersIsRejectedBeforeAnyRequest(t *testing.T) {
	connector := requesting(func() (*sendbox.Request, error) { return sendbox.Get("https://x.example"), nil })
	request, failure := testkit.Request(connector, "{}", testkit.Message("49151\u007f", "SignIn", "{}"))
	if request != nil || failure.Kind != sendbox.Rejected {
		t.Error(request, failure)
	}
}

func TestWhatHasNoJSONFormIsRejected(t *testing.T) {
	failure := failureOf(requesting(func() (*sendbox.Request, error) {
		return sendbox.PostJSON("https://x.example", func() {}), nil
	}))
	if failure.Kind != sendbox.Rejected {
		t.Error(failure)
	}
}

func TestWhatSurelyDidNotArriveIsToldFromWhatMayHave(t *testing.T) {
	for reason, kind := range map[sendbox.HTTPReason]sendbox.FailureKind{
		sendbox.HTTPDenied:           sendbox.InvalidSettings,
		sendbox.HTTPInvalidRequest:   sendbox.InvalidSettings,
		sendbox.HTTPDNS:              sendbox.Unavailable,
		sendbox.HTTPConnect:          sendbox.Unavailable,
		sendbox.HTTPTLS:              sendbox.Unavailable,
		sendbox.HTTPTimeout:          sendbox.Unknown,
		sendbox.HTTPInterrupted:      sendbox.Unknown,
		sendbox.HTTPResponseTooLarge: sendbox.Unknown,
	} {
		connector := requesting(func() (*sendbox.Request, error) { return sendbox.Get("https://x.example"), nil })
		message := testkit.Message("alice@example.net", "SignIn", "{}")
		_, failure := connector.Run("{}", message, func(*sendbox.Request) (*sendbox.Response, error) {
			return nil, &sendbox.HTTPError{Reason: reason}
		})
		if failure.Kind != kind {
			t.Errorf("%s: %s", failure.Code, failure.Kind)
		}
	}
}

func TestFormsAndQueriesAreEncodedAsABrowserEncodesThem(t *testing.T) {
	form := sendbox.PostForm("https://x.example", sendbox.Pair{"a b", "ü+~*-._"}, sendbox.Pair{"c", "&=\U0001F510"})
	if string(form.Body) != "a+b=%C3%BC%2B%7E*-._&c=%26%3D%F0%9F%94%90" {
		t.Errorf("%s", form.Body)
	}
	query := sendbox.Get("https://x.example/a", sendbox.Pair{"u", "a&b"}, sendbox.Pair{"c", "é "})
	if query.URL != "https://x.example/a?u=a%26b&c=%C3%A9+" {
		t.Error(query.URL)
	}
	if segment := sendbox.PathSegment("AC/../x?y#z%"); segment != "AC%2F..%2Fx%3Fy%23z%25" {
		t.Error(segment)
	}
}

func TestAnExchangeNeedsTheContextOfItsSend(t *testing.T) {
	if _, err := sendbox.Do(context.Background(), sendbox.Get("https://x.example")); err == nil {
		t.Error("the exchange was made")
	}
}
