package nethttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"sendbox"
	"sendbox/nethttp"
	"sendbox/testkit"
)

func sending(send func(context.Context) error) sendbox.Connector[struct{}] {
	return sendbox.Connector[struct{}]{
		Send: func(ctx context.Context, _ *struct{}, _ *sendbox.Message) (*sendbox.Receipt, error) {
			return nil, send(ctx)
		},
	}
}

var message = testkit.Message("alice@example.net", "SignIn", "{}")

func TestTheClientSendsThroughTheHostAndFollowsNoRedirect(t *testing.T) {
	requests := 0
	connector := sending(func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://x.example/a?b", strings.NewReader("body"))
		if err != nil {
			return err
		}
		request.Header.Set("X-Key", "placeholder")
		response, err := nethttp.Client.Do(request)
		if err != nil {
			return err
		}
		if body, err := io.ReadAll(response.Body); string(body) != "elsewhere" || err != nil {
			t.Errorf("%s %v", body, err)
		}
		if response.StatusCode != 307 || response.Header.Get("Location") != "https://y.example/" {
			t.Error(response)
		}
		return nil
	})
	_, failure := connector.Run("{}", message, func(request *sendbox.Request) (*sendbox.Response, error) {
		requests++
		if request.Method != "PUT" || request.URL != "https://x.example/a?b" || string(request.Body) != "body" {
			t.Error(request)
		}
		if len(request.Headers) != 1 || request.Headers[0] != (sendbox.Pair{"x-key", "placeholder"}) {
			t.Error(request.Headers)
		}
		return testkit.Response(307, "elsewhere", sendbox.Pair{"location", "https://y.example/"}), nil
	})
	if requests != 1 || failure != nil {
		t.Error(requests, failure)
	}
}

func TestAnErrorOfTheHostKeepsItsKindAndShowsNoAddress(t *testing.T) {
	connector := sending(func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://x.example/?key=placeholder", nil)
		if err != nil {
			return err
		}
		_, err = nethttp.Client.Do(request)
		return err
	})
	_, failure := connector.Run("{}", message, func(*sendbox.Request) (*sendbox.Response, error) {
		return nil, &sendbox.HTTPError{Reason: sendbox.HTTPTimeout}
	})
	if failure.Kind != sendbox.Unknown || failure.Message != "no whole response in time" {
		t.Error(failure)
	}
}
