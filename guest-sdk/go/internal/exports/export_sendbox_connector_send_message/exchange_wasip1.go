package export_sendbox_connector_send_message

import (
	"time"

	wit "go.bytecodealliance.org/pkg/wit/types"

	"sendbox"
	"sendbox/bindings/sendbox_connector_http"
)

// exchange makes one HTTP exchange through the host.
func exchange(request *sendbox.Request) (*sendbox.Response, error) {
	timeout := wit.None[uint32]()
	if request.Timeout > 0 {
		timeout = wit.Some(uint32(request.Timeout.Milliseconds()))
	}
	result := sendbox_connector_http.Send(sendbox_connector_http.Request{
		Method:     request.Method,
		Url:        request.URL,
		Headers:    tuples(request.Headers),
		Body:       request.Body,
		Credential: credentialOf(request.Credential),
		Timeout:    timeout,
	})
	if result.Tag() == wit.ResultErr {
		// The SDK's reasons have the order of the contract's.
		broken := result.Err()
		failed := &sendbox.HTTPError{Reason: sendbox.HTTPReason(broken.Tag())}
		if failed.Reason == sendbox.HTTPInvalidRequest {
			failed.Detail = broken.InvalidRequest()
		}
		return nil, failed
	}
	answer := result.Ok()
	response := &sendbox.Response{Status: int(answer.Status), Body: answer.Body, ReceivedAt: time.Now()}
	for _, header := range answer.Headers {
		response.Headers = append(response.Headers, sendbox.Pair{header.F0, header.F1})
	}
	return response, nil
}

func credentialOf(credential sendbox.Credential) sendbox_connector_http.Credential {
	pair := wit.Tuple2[string, string]{F0: credential.Name, F1: credential.Value}
	switch credential.Scheme {
	case sendbox.Basic:
		return sendbox_connector_http.MakeCredentialBasic(pair)
	case sendbox.Bearer:
		return sendbox_connector_http.MakeCredentialBearer(credential.Value)
	case sendbox.InHeader:
		return sendbox_connector_http.MakeCredentialHeader(pair)
	default:
		return sendbox_connector_http.MakeCredentialNone()
	}
}
