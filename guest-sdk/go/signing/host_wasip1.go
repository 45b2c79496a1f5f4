package signing

import (
	wit "go.bytecodealliance.org/pkg/wit/types"

	host "sendbox/bindings/sendbox_connector_signing"
	"sendbox/internal/exports"
)

// material is the host's key. A rehearsal has none, and any signature will do.
type material = *host.Key

func fromSecret(prefix, secret, suffix string) (material, error) {
	if exports.Rehearsing {
		return nil, nil
	}
	return taken(host.KeyFromSecret(prefix, secret, suffix))
}

func derive(key material, data []byte) (material, error) {
	if exports.Rehearsing {
		return nil, nil
	}
	return taken(key.Derive(data))
}

func sign(key material, algorithm Algorithm, data []byte) ([]byte, error) {
	if exports.Rehearsing {
		return make([]byte, 32), nil
	}
	// The algorithms have the order of the contract's.
	return taken(key.Sign(uint8(algorithm), data))
}

// taken is the host's answer. The reasons have the order of the contract's.
func taken[T any](answer wit.Result[T, host.SigningError]) (T, error) {
	if answer.Tag() == wit.ResultOk {
		return answer.Ok(), nil
	}
	refusal := answer.Err()
	failed := &Error{Reason: Reason(refusal.Tag())}
	if failed.Reason == InvalidKey {
		failed.Detail = refusal.InvalidKey()
	}
	return answer.Ok(), failed
}
