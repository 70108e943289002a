package eventlog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.file = a.write("CERTIFICATE", a.cert.Raw)
	return a
}

// issue makes a certificate that the authority signs. The first one, its own, signs itself.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(kind string, der []byte) string {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "file.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// broker is the configuration of a broker with a certificate for the address.
func (a *authority) broker(ip string) *tls.Config {
	cert, key := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.ParseIP(ip)},
	})
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, ClientCAs: clients,
	}
}

// client writes a client's certificate and key to files, and returns their names.
func (a *authority) client() (cert, key string) {
	c, k := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "client"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("CERTIFICATE", c.Raw), a.write("EC PRIVATE KEY", der)
}

// secured starts a broker with the options and returns its address.
func secured(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

func users() []kfake.Opt {
	return []kfake.Opt{
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "plain", "p-word"),
		kfake.Superuser("SCRAM-SHA-256", "short", "s-word"), kfake.Superuser("SCRAM-SHA-512", "long", "l-word"),
	}
}

// answering starts a server that sends the answer to whatever it reads, and hangs up.
func answering(t *testing.T, answer string) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	return []string{l.Addr().String()}
}

// A client that is refused learns which setting to change, before anything is written and without a long wait.
func TestBrokersThatAskForMore(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	mutual := ca.broker("127.0.0.1")
	mutual.ClientAuth = tls.RequireAndVerifyClientCert
	plain, encrypted := secured(t), secured(t, kfake.TLS(ca.broker("127.0.0.1")))
	asking, both := secured(t, users()...), secured(t, append(users(), kfake.TLS(ca.broker("127.0.0.1")))...)
	other, certified := secured(t, kfake.TLS(ca.broker("127.0.0.9"))), secured(t, kfake.TLS(mutual))
	cert, key := ca.client()
	strangersCert, strangersKey := stranger.client()
	user := func(mechanism, name, password string) eventlog.Security {
		return eventlog.Security{Mechanism: mechanism, Username: name, Password: eventlog.Secret(password)}
	}
	userOverTLS := user("SCRAM-SHA-512", "long", "l-word")
	userOverTLS.CAFile = ca.file
	own := eventlog.Security{CAFile: ca.file, CertFile: cert, KeyFile: key}
	strangers := eventlog.Security{CAFile: ca.file, CertFile: strangersCert, KeyFile: strangersKey}
	const (
		checkPlain = `check that they know user "plain" with this --kafka-password`
		checkShort = `check that they know user "short" with this --kafka-password`
		setUser    = "if they want a user, set --kafka-sasl-mechanism"
		setTLS     = "if they want TLS, set --kafka-tls"
		leaveTLS   = "if they do not speak TLS at this port, name their TLS port"
		nameCA     = "name the file of its certificate in --kafka-ca"
		setCert    = "set --kafka-cert and --kafka-key"
	)
	for name, test := range map[string]struct {
		seeds    []string
		security eventlog.Security
		want     string
	}{
		"plain":                           {plain, eventlog.Security{}, ""},
		"TLS":                             {encrypted, eventlog.Security{CAFile: ca.file}, ""},
		"a user by PLAIN":                 {asking, user("PLAIN", "plain", "p-word"), ""},
		"a user by SCRAM-SHA-256":         {asking, user("SCRAM-SHA-256", "short", "s-word"), ""},
		"a user by SCRAM-SHA-512 and TLS": {both, userOverTLS, ""},
		"a client's certificate":          {certified, own, ""},

		// This broker closes the connection of a user it does not know; TestExplain has the answer of others.
		"a wrong password":              {asking, user("PLAIN", "plain", "guess"), checkPlain},
		"a wrong password by SCRAM":     {asking, user("SCRAM-SHA-256", "short", "guess"), checkShort},
		"another mechanism":             {asking, user("SCRAM-SHA-512", "plain", "p-word"), checkPlain},
		"no user":                       {asking, eventlog.Security{}, setUser},
		"no user over TLS":              {both, eventlog.Security{CAFile: ca.file}, setUser},
		"plain to TLS":                  {encrypted, eventlog.Security{}, setTLS},
		"a user to TLS":                 {encrypted, user("PLAIN", "plain", "p-word"), setTLS},
		"TLS to a server that hangs up": {answering(t, ""), eventlog.Security{TLS: true}, leaveTLS},
		"TLS to another protocol": {
			answering(t, "HTTP/1.0 400 Bad Request\r\n\r\n"), eventlog.Security{TLS: true},
			"do not speak TLS at this port",
		},
		"an unknown authority": {encrypted, eventlog.Security{TLS: true}, nameCA},
		"another authority":    {encrypted, eventlog.Security{CAFile: stranger.file}, nameCA},
		"a certificate of another name": {
			other, eventlog.Security{CAFile: ca.file}, "write --kafka as the certificate does",
		},
		"no client's certificate":  {certified, eventlog.Security{CAFile: ca.file}, setCert},
		"a stranger's certificate": {certified, strangers, setCert},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, eventlog.Config{Seeds: test.seeds, Embedded: true, Security: test.security})
			_, created := c.EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 1, ShardCount: 1})
			for what, err := range map[string]error{"ping": c.Ping(logtest.Context(t)), "start": created} {
				if test.want == "" && err == nil {
					continue
				}
				if test.want == "" || err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v, want %q", what, err, test.want)
				}
			}
		})
	}
}

// Every client of the log authenticates, not only the one that administers it.
func TestAWriterAuthenticates(t *testing.T) {
	ca := newAuthority(t)
	p := newPlatform(t, eventlog.Config{
		Seeds: secured(t, append(users(), kfake.TLS(ca.broker("127.0.0.1")))...), Embedded: true,
		Security: eventlog.Security{CAFile: ca.file, Mechanism: "SCRAM-SHA-512", Username: "long", Password: "l-word"},
	}, 1, 1)
	mustCommit(t, p.writer(t, 0), order(0, "x"))
	if got := p.readAll(t, []eventlog.TopicPartition{orders0})[orders0]; len(got) != 1 || got[0] != "x" {
		t.Errorf("it reads %v", got)
	}
}

// A certificate that is replaced is used for new connections. An invalid one is ignored.
func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	mutual := ca.broker("127.0.0.1")
	mutual.ClientAuth = tls.RequireAndVerifyClientCert
	seeds := secured(t, kfake.TLS(mutual))
	dir := t.TempDir()
	files := eventlog.Security{
		CAFile:   filepath.Join(dir, "ca"),
		CertFile: filepath.Join(dir, "cert"),
		KeyFile:  filepath.Join(dir, "key"),
	}
	become := func(a *authority) {
		t.Helper()
		cert, key := a.client()
		for to, from := range map[string]string{files.CAFile: ca.file, files.CertFile: cert, files.KeyFile: key} {
			content, err := os.ReadFile(from)
			if err := errors.Join(err, os.WriteFile(to+".new", content, 0o600), os.Rename(to+".new", to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	become(stranger)
	c := open(t, eventlog.Config{Seeds: seeds, Embedded: true, Security: files})
	err := c.Ping(logtest.Context(t))
	if err == nil || !strings.Contains(err.Error(), "refuse this client's certificate") {
		t.Fatalf("a stranger: %v", err)
	}
	become(ca)
	if err := c.Ping(logtest.Context(t)); err != nil {
		t.Fatalf("with another certificate: %v", err)
	}
	if _, err := c.EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{files.CAFile, files.CertFile, files.KeyFile} {
		if err := os.WriteFile(file, []byte("half of a certi"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.ReadLayout(logtest.Context(t)); err != nil { // a reader opens new connections
		t.Errorf("with invalid certificates: %v", err)
	}
	later := open(t, c.Config())
	if err := later.Ping(logtest.Context(t)); err != nil {
		t.Errorf("a client that is opened later: %v", err)
	}
}

func TestInvalidSecurityIsRefused(t *testing.T) {
	cert, key := newAuthority(t).client()
	for _, test := range []struct {
		security eventlog.Security
		want     string
	}{
		{eventlog.Security{CertFile: cert}, "set --kafka-cert and --kafka-key"},
		{eventlog.Security{KeyFile: key}, "set --kafka-cert and --kafka-key"},
		{eventlog.Security{Username: "me"}, "needs --kafka-sasl-mechanism"},
		{eventlog.Security{Mechanism: "PLAIN", Username: "me"}, "needs --kafka-username and --kafka-password"},
		{eventlog.Security{Mechanism: "GSSAPI"}, `"GSSAPI" is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
		{eventlog.Security{CAFile: filepath.Join(t.TempDir(), "none")}, "--kafka-ca: open "},
		{eventlog.Security{CAFile: key}, "has no certificate in PEM form"},
		{eventlog.Security{CertFile: key, KeyFile: cert}, "--kafka-cert and --kafka-key: "},
	} {
		_, err := eventlog.Open(eventlog.Config{Seeds: []string{"127.0.0.1:1"}, Security: test.security})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.security, err, test.want)
		}
	}
}

func TestAPasswordIsNeverPrinted(t *testing.T) {
	cfg := eventlog.Config{Security: eventlog.Security{Username: "me", Password: "p-word"}}
	asJSON, err := json.Marshal(cfg.Security)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(asJSON),
		fmt.Sprint(cfg),
		fmt.Sprintf("%+v %#v %s %q", cfg, cfg, cfg.Security.Password, cfg.Security.Password),
	} {
		if strings.Contains(text, "p-word") || !strings.Contains(text, "(secret)") {
			t.Errorf("it prints %s", text)
		}
	}
	if none := fmt.Sprint(eventlog.Secret("")); none != "" {
		t.Errorf("no password prints %s", none)
	}
}

// These are errors that the embedded broker never returns, but others do.
func TestExplain(t *testing.T) {
	security := eventlog.Security{Mechanism: "PLAIN", Username: "me"}
	for err, want := range map[error]string{
		kerr.SaslAuthenticationFailed: `the brokers refuse user "me" with PLAIN; ` +
			"check --kafka-username, --kafka-password and --kafka-sasl-mechanism: ",
		kerr.UnsupportedSaslMechanism: "the brokers do not offer PLAIN; choose another --kafka-sasl-mechanism: ",
		syscall.ECONNRESET:            "the brokers ended the connection; ",
		syscall.ECONNREFUSED:          "connection refused",
	} {
		got := security.Explain(fmt.Errorf("ping: %w", err))
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("%v: it says %q, want %q", err, got, want)
		}
	}
}
