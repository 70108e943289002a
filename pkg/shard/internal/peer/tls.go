package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/holdfast/holdfast/pkg/certs"
)

// TLS names the PEM files with which replicas authenticate each other and encrypt their streams: all of them, or none.
// Cert and Key identify this replica, as client and as server. CA has signed the certificates of all replicas. Files
// that change are read again, for the connections made from then on.
type TLS struct {
	Cert, Key, CA string
	// Name is what the certificates of all replicas name, whatever host is called; empty: each names the host under which
	// the others call it.
	Name string
}

// peerCredentials are those of a replica as a server and as a client.
type peerCredentials struct {
	server credentials.TransportCredentials
	client func() credentials.TransportCredentials // for a connection to be made now
}

func (t TLS) credentials(log *slog.Logger) (peerCredentials, error) {
	if t == (TLS{}) {
		return peerCredentials{insecure.NewCredentials(), insecure.NewCredentials}, nil
	}
	if err := t.complete(); err != nil {
		return peerCredentials{}, err
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

func (t TLS) complete() error {
	if t.Cert == "" || t.Key == "" || t.CA == "" {
		return errors.New(
			"--peer-cert, --peer-key and --peer-ca belong together: set all of them, or none; --peer-name needs them")
	}
	return nil
}

// Check says what is wrong with the files.
func (t TLS) Check() error {
	if t == (TLS{}) {
		return nil
	}
	err := t.complete()
	if err == nil {
		_, err = t.read()
	}
	return err
}

// read makes the configuration of both sides of a connection.
func (t TLS) read() (*tls.Config, error) {
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
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ServerName: t.Name,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: replicas, RootCAs: replicas,
	}, nil
}

const (
	// maxReceivedFrame is far above what a frame may have: MaxFrameBytes, and what its last message adds.
	maxReceivedFrame = 64 << 20
	// pingEvery and pingTimeout bound how long a stream outlives a machine that is gone without a word: TCP alone waits
	// a quarter of an hour. gRPC pings at most once in ten seconds.
	pingEvery   = 10 * time.Second
	pingTimeout = 3 * time.Second
)

func (c peerCredentials) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(c.server),
		grpc.MaxRecvMsgSize(maxReceivedFrame),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		// Half of the interval that the other side keeps: a ping that comes early is no attack.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery / 2}),
	}
}

func (c peerCredentials) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(c.client()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceivedFrame)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
	}
}
