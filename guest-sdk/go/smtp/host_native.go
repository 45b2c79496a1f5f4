//go:build !wasip1

package smtp

func submit(*Server, Envelope, []byte) (*Reply, error) {
	return nil, &Error{Reason: NotSupported}
}
