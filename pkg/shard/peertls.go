package shard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/holdfast/holdfast/pkg/certs"
)

// PeerTLS names the PEM files with which replicas know each other and encrypt what they say: all of them, or none.
// Cert, with Key, shows this replica to the others, as client and as server, and names the host that they call. CA has
// signed those of all replicas. Files that change are read again, for the connections that are made from then on.
type PeerTLS struct{ Cert, Key, CA string }

// peerCredentials are what a replica shows who calls it, and what it shows when it calls.
type peerCredentials struct {
	server credentials.TransportCredentials
	client func() credentials.TransportCredentials // for a connection to be made now
}

func (t PeerTLS) credentials(log *slog.Logger) (peerCredentials, error) {
	if t == (PeerTLS{}) {
		return peerCredentials{insecure.NewCredentials(), insecure.NewCredentials}, nil
	}
	if t.Cert == "" || t.Key == "" || t.CA == "" {
		return peerCredentials{}, errors.New("--peer-cert, --peer-key and --peer-ca belong together: set all of them, or none")
	}
	files, err := certs.New(log, t.read, t.Cert, t.Key, t.CA)
	if err != nil {
		return peerCredentials{}, err
	}
	return peerCredentials{
		server: credentials.NewTLS(&tls.Config{
			MinVersion:         tls.VersionTLS13,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.Config(), nil },
		}),
		client: func() credentials.TransportCredentials { return credentials.NewTLS(files.Config()) },
	}, nil
}

// read makes the configuration of both sides of a connection.
func (t PeerTLS) read() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("--peer-cert %s with --peer-key %s: %w", t.Cert, t.Key, err)
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("--peer-ca: %w", err)
	}
	replicas := x509.NewCertPool()
	if !replicas.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--peer-ca %s holds no certificate in PEM", t.CA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: replicas, RootCAs: replicas,
	}, nil
}
