package smtp

import (
	"math"
	"time"

	wit "go.bytecodealliance.org/pkg/wit/types"

	host "sendbox/bindings/sendbox_connector_smtp"
	"sendbox/internal/exports"
)

// submit hands the mail to the host. In a rehearsal there is none, and every mail is taken.
func submit(server *Server, envelope Envelope, data []byte) (*Reply, error) {
	if exports.Rehearsing {
		return &Reply{Code: 250}, nil
	}
	answer := host.Submit(host.Server{
		Host:           server.Host,
		Port:           server.Port,
		Security:       uint8(server.Security), // In the contract's order.
		ServerName:     present(server.ServerName),
		Auth:           authOf(server.Auth),
		Name:           present(server.Name),
		LocalAddress:   present(server.LocalAddress),
		ConnectTimeout: milliseconds(server.ConnectTimeout),
		CommandTimeout: milliseconds(server.CommandTimeout),
	}, host.Envelope{MailFrom: envelope.From, RcptTo: envelope.To}, data)
	if answer.Tag() == wit.ResultErr {
		return nil, errorOf(answer.Err())
	}
	reply := replyOf(answer.Ok())
	return &reply, nil
}

func authOf(auth Auth) host.Auth {
	switch {
	case auth.User == "":
		return host.MakeAuthNone()
	case auth.Token != "":
		return host.MakeAuthOauth2(wit.Tuple2[string, string]{F0: auth.User, F1: auth.Token})
	default:
		return host.MakeAuthLogin(host.Login{
			User: auth.User, Password: auth.Password, Mechanism: present(auth.Mechanism),
		})
	}
}

// errorOf is the host's refusal. The reasons have the order of the contract's.
func errorOf(refusal host.SmtpError) *Error {
	failed := &Error{Reason: Reason(refusal.Tag())}
	switch failed.Reason {
	case InvalidRequest:
		failed.Detail = refusal.InvalidRequest()
	case NoTLS:
		failed.Detail = refusal.Tls()
	case Unauthorized:
		failed.Reply = replyOf(refusal.Unauthorized())
	case Rejected:
		failed.Reply = replyOf(refusal.Rejected())
	case Deferred:
		failed.Reply = replyOf(refusal.Deferred())
	}
	return failed
}

func replyOf(reply host.Reply) Reply {
	return Reply{Code: int(reply.Code), Enhanced: reply.Enhanced.Some(), Text: reply.Text}
}

// present is a text, or nothing where it is empty.
func present(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}

func milliseconds(timeout time.Duration) wit.Option[uint32] {
	if timeout <= 0 {
		return wit.None[uint32]()
	}
	return wit.Some(uint32(min(timeout.Milliseconds(), math.MaxUint32)))
}
