// Package nethttp lets Go's own http.Client send through the host.
//
// It adds the 7 MB of net/http to a component. A connector of [sendbox.Request] does without.
package nethttp

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendbox"
)

// Client sends through the host, and follows no redirect, as the host does. Its requests need the context that
// Send was called with: http.NewRequestWithContext.
var Client = &http.Client{
	Transport: Transport{},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	},
}

// Transport is an http.RoundTripper over the host's HTTP.
type Transport struct{}

// RoundTrip makes one exchange. A header may hold a placeholder of a secret; where no response comes, the error is a
// [sendbox.HTTPError].
func (Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := &sendbox.Request{Method: request.Method, URL: request.URL.String()}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		for _, value := range request.Header[name] {
			sent.Header(strings.ToLower(name), value)
		}
	}
	if request.Body != nil {
		defer request.Body.Close()
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		sent.Body = body
	}
	if deadline, ok := request.Context().Deadline(); ok {
		sent.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	answer, err := sendbox.Do(request.Context(), sent)
	if err != nil {
		return nil, err
	}
	header := make(http.Header, len(answer.Headers))
	for _, pair := range answer.Headers {
		header.Add(pair[0], pair[1])
	}
	return &http.Response{
		Status:        strconv.Itoa(answer.Status) + " " + http.StatusText(answer.Status),
		StatusCode:    answer.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(answer.Body)),
		ContentLength: int64(len(answer.Body)),
		Request:       request,
	}, nil
}

// Read takes the response apart for [sendbox.StatusFailure] and its neighbours, and closes its body.
func Read(response *http.Response) (*sendbox.Response, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	read := &sendbox.Response{Status: response.StatusCode, Body: body, ReceivedAt: time.Now()}
	for _, name := range slices.Sorted(maps.Keys(response.Header)) {
		for _, value := range response.Header[name] {
			read.Headers = append(read.Headers, sendbox.Pair{strings.ToLower(name), value})
		}
	}
	return read, nil
}
