package httpapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/holdfast/holdfast/pkg/certs"
)

// TLS names the PEM files with which a server proves who it is and encrypts: both, or none. Files that change are read
// again, for the connections made from then on.
type TLS struct {
	// Cert has the server's certificate, followed by those between it and an authority that clients trust.
	Cert string
	Key  string
}

// strictTransport keeps browsers from asking this host without TLS for a year (RFC 6797).
const strictTransport = "max-age=31536000"

// Check says what is wrong with the files.
func (t TLS) Check() error {
	if t == (TLS{}) {
		return nil
	}
	_, err := t.read()
	return err
}

func (t TLS) read() (*tls.Config, error) {
	if t.Cert == "" || t.Key == "" {
		return nil, errors.New("--tls-cert and --tls-key belong together: set both, or none")
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s with --tls-key %s: %w", t.Cert, t.Key, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert},
		NextProtos: []string{"http/1.1"}, // streams both ways are made for it
	}, nil
}

// over makes a listener encrypt; without files it stays as it is.
func (t TLS) over(listener net.Listener, log *slog.Logger) (net.Listener, error) {
	if t == (TLS{}) {
		return listener, nil
	}
	files, err := certs.New(log, t.read, t.Cert, t.Key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.Config(), nil },
	}), nil
}

// Local is how a program asks the server that has these files, on the same machine, whether it is ready. It takes any
// certificate: it sends nothing secret, and one that has expired keeps nobody from serving.
func (t TLS) Local() (transport *http.Transport, scheme string) {
	if t == (TLS{}) {
		return &http.Transport{}, "http"
	}
	return &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // see above
	}}, "https"
}
