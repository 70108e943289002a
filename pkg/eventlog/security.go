package eventlog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/holdfast/holdfast/pkg/certs"
)

// The SASL mechanisms.
const (
	SASLPlain       = "PLAIN"
	SASLScramSHA256 = "SCRAM-SHA-256"
	SASLScramSHA512 = "SCRAM-SHA-512"
)

// Security is how to reach brokers that use TLS or authentication. The zero value is a plain connection. When the files
// change, they are read again for new connections.
type Security struct {
	// TLS encrypts the connection. CAFile and CertFile switch it on, too.
	TLS bool
	// CAFile has the certificates (PEM) of the authorities that sign the brokers' certificates; empty: the system's.
	CAFile string
	// CertFile and KeyFile are this client's own certificate and key (PEM), for brokers that ask for one.
	CertFile, KeyFile string
	// Mechanism is a mechanism of SASL; empty: no user is sent.
	Mechanism string
	Username  string
	Password  Secret
}

// Secret is a text that is never printed: it prints as "(secret)", or as nothing when it is empty.
type Secret string

// Format implements fmt.Formatter.
func (s Secret) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, s.printed()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.printed()), nil }

func (s Secret) printed() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

func (s *Security) tls() bool { return s.TLS || s.CAFile != "" || s.CertFile != "" }

// validate reports every mistake.
func (s *Security) validate() error {
	var errs []error
	if (s.CertFile == "") != (s.KeyFile == "") {
		errs = append(errs, errors.New("kafka: a client certificate is two files; set --kafka-cert and --kafka-key"))
	}
	switch s.Mechanism {
	case "":
		if s.Username != "" || s.Password != "" {
			errs = append(errs, fmt.Errorf("kafka: a user needs --kafka-sasl-mechanism: %s, %s or %s",
				SASLPlain, SASLScramSHA256, SASLScramSHA512))
		}
	case SASLPlain, SASLScramSHA256, SASLScramSHA512:
		if s.Username == "" || s.Password == "" {
			errs = append(errs, fmt.Errorf("kafka: SASL mechanism %s needs --kafka-username and --kafka-password",
				s.Mechanism))
		}
	default:
		errs = append(errs, fmt.Errorf("kafka: SASL mechanism %q is none of %s, %s, %s",
			s.Mechanism, SASLPlain, SASLScramSHA256, SASLScramSHA512))
	}
	return errors.Join(errs...)
}

// dialTimeout is the Kafka client's default, which our own dialer has to repeat.
const dialTimeout = 10 * time.Second

// dialTLS makes each new connection with the certificates that are in the files at that time.
func dialTLS(files *certs.Source) kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: files.Config()}
		return dialer.DialContext(ctx, network, host)
	})
}

// certificates is the source of the TLS configuration. It reads the files now, and again when they change.
func (s *Security) certificates(log *slog.Logger) (*certs.Source, error) {
	var files []string
	for _, file := range []string{s.CAFile, s.CertFile, s.KeyFile} {
		if file != "" {
			files = append(files, file)
		}
	}
	return certs.New(log, s.tlsConfig, files...)
}

// sasl are the client's options for authentication. s must be valid.
func (s *Security) sasl() []kgo.Opt {
	switch s.Mechanism {
	case SASLPlain:
		return []kgo.Opt{kgo.SASL(plain.Auth{User: s.Username, Pass: string(s.Password)}.AsMechanism())}
	case SASLScramSHA256:
		return []kgo.Opt{kgo.SASL(scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha256Mechanism())}
	case SASLScramSHA512:
		return []kgo.Opt{kgo.SASL(scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha512Mechanism())}
	}
	return nil
}

func (s *Security) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka: --kafka-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka: --kafka-ca: %s has no certificate in PEM form", s.CAFile)
		}
	}
	if s.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka: --kafka-cert and --kafka-key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// refusedError means that brokers answered, but will refuse this client until its settings change.
type refusedError struct {
	remedy string
	err    error
}

func (e *refusedError) Error() string { return e.remedy + ": " + e.err.Error() }

func (e *refusedError) Unwrap() error { return e.err }

// IsRefused reports whether an error says that brokers refuse this client, and will do so until its settings change.
func IsRefused(err error) bool {
	_, refused := errors.AsType[*refusedError](err)
	return refused
}

// leaveTLS is the advice for brokers without TLS.
const leaveTLS = "name their TLS port in --kafka, or leave --kafka-tls, --kafka-ca and --kafka-cert out"

// adviceOnHangup is the advice for brokers that close the connection without an answer.
func (s *Security) adviceOnHangup() string {
	encrypt := "if they want TLS, set --kafka-tls or --kafka-ca"
	if s.tls() {
		encrypt = "if they do not speak TLS at this port, " + leaveTLS
	}
	if s.Mechanism == "" {
		return encrypt + "; if they want a user, set --kafka-sasl-mechanism, --kafka-username and --kafka-password"
	}
	return fmt.Sprintf("check that they know user %q with this --kafka-password by --kafka-sasl-mechanism %s; %s",
		s.Username, s.Mechanism, encrypt)
}

// remoteAlert is the Op of a net.OpError for an error that the other side of a TLS connection sent.
const remoteAlert = "remote error"

// explain adds to an error which setting to change when brokers refuse this client. It returns other errors unchanged.
func (s *Security) explain(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var alert *net.OpError
	var noTLS tls.RecordHeaderError
	remedy := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		remedy = fmt.Sprintf("the brokers refuse user %q with %s; "+
			"check --kafka-username, --kafka-password and --kafka-sasl-mechanism", s.Username, s.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		remedy = fmt.Sprintf("the brokers do not offer %s; choose another --kafka-sasl-mechanism", s.Mechanism)
	case errors.As(err, &unknown):
		remedy = "the brokers' certificate is signed by an authority that is not known here; " +
			"name the file of its certificate in --kafka-ca"
	case errors.As(err, &name):
		remedy = "the brokers' certificate is for another name; write --kafka as the certificate does"
	case errors.As(err, &alert) && alert.Op == remoteAlert:
		remedy = "the brokers refuse this client's certificate, or miss one; set --kafka-cert and --kafka-key"
	case errors.As(err, &noTLS):
		remedy = "the brokers do not speak TLS at this port; " + leaveTLS
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		remedy = "the brokers ended the connection; " + s.adviceOnHangup()
	default:
		return err
	}
	return &refusedError{remedy, err}
}
