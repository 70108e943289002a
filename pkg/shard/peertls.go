package shard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// PeerTLS names the PEM files with which replicas know each other and encrypt what they say: all of them, or none.
// Cert, with Key, shows this replica to the others, as client and as server, and names the host that they call. CA has
// signed those of all replicas. The files are read at start.
type PeerTLS struct{ Cert, Key, CA string }

// peerCredentials are what a replica shows who calls it, and what it shows when it calls.
type peerCredentials struct {
	server, client credentials.TransportCredentials
}

func (t PeerTLS) credentials() (peerCredentials, error) {
	if t == (PeerTLS{}) {
		return peerCredentials{insecure.NewCredentials(), insecure.NewCredentials()}, nil
	}
	if t.Cert == "" || t.Key == "" || t.CA == "" {
		return peerCredentials{}, errors.New("--peer-cert, --peer-key and --peer-ca belong together: set all of them, or none")
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return peerCredentials{}, fmt.Errorf("--peer-cert %s with --peer-key %s: %w", t.Cert, t.Key, err)
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return peerCredentials{}, fmt.Errorf("--peer-ca: %w", err)
	}
	replicas := x509.NewCertPool()
	if !replicas.AppendCertsFromPEM(pem) {
		return peerCredentials{}, fmt.Errorf("--peer-ca %s holds no certificate in PEM", t.CA)
	}
	return peerCredentials{
		server: credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: replicas,
		}),
		client: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: replicas}),
	}, nil
}
