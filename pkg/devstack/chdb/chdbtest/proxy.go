package chdbtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peekedBytes is how much of a query is searched for a fault's text.
const peekedBytes = 64 << 10

// Proxy is a proxy in front of the package's embedded ClickHouse. It adds what that lacks: a user with a password, TLS,
// and faults on demand.
type Proxy struct {
	// User and Password are those that a client must send.
	User, Password string
	// CA is the file with the proxy's certificate; empty without TLS.
	CA     string
	server *httptest.Server
	engine *httputil.ReverseProxy
	faults atomic.Int64

	mu       sync.Mutex
	refusing bool
	fault    *Fault
}

// Fault is an error that the proxy returns in ClickHouse's place.
type Fault struct {
	// Queries selects the queries that contain this text; empty: all.
	Queries string
	// Code is ClickHouse's error code.
	Code int
	// Message is in ClickHouse's wording, with the code's name, such as "Not enough space. (NOT_ENOUGH_SPACE)".
	Message string
	// Late runs the query first, and then returns the error instead of its result.
	Late bool
}

// NewProxy starts a proxy without TLS.
func NewProxy(t testing.TB) *Proxy {
	p := newProxy(t)
	p.server.Start()
	return p
}

// NewTLSProxy starts a proxy with TLS and a certificate of its own.
func NewTLSProxy(t testing.TB) *Proxy {
	p := newProxy(t)
	certificate, key := Certificate(t)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	p.CA, p.server.TLS = certificate, &tls.Config{Certificates: []tls.Certificate{pair}}
	p.server.StartTLS()
	return p
}

func newProxy(t testing.TB) *Proxy {
	t.Helper()
	engine, err := url.Parse(Server(t).URL(""))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{User: "projector", Password: "it's a 100% secret/?"}
	password, _ := engine.User.Password()
	p.engine = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(engine)
		r.Out.SetBasicAuth(engine.User.Username(), password)
	}}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = nil
	p.server.Listener = &resettingListener{p.server.Listener, p}
	t.Cleanup(p.server.Close)
	return p
}

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.server.Listener.Addr().String() }

// DSN is the address of a database behind the proxy, with user and password, and with the CA if there is TLS.
func (p *Proxy) DSN(database string) string {
	dsn := url.URL{Scheme: "http", User: url.UserPassword(p.User, p.Password), Host: p.Addr(), Path: "/" + database}
	if p.CA != "" {
		dsn.Scheme, dsn.RawQuery = "https", url.Values{"ca": {p.CA}}.Encode()
	}
	return dsn.String()
}

// Refuse closes all connections and refuses new ones, until Fail or Heal is called.
func (p *Proxy) Refuse() {
	p.set(true, nil)
	p.server.CloseClientConnections()
}

// Fail returns the fault for the queries that it selects, until Refuse, Fail or Heal is called.
func (p *Proxy) Fail(f Fault) { p.set(false, &f) }

// Heal forwards everything again.
func (p *Proxy) Heal() { p.set(false, nil) }

// Faults is how many queries have failed with a fault so far.
func (p *Proxy) Faults() int64 { return p.faults.Load() }

func (p *Proxy) set(refusing bool, fault *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing, p.fault = refusing, fault
}

func (p *Proxy) state() (refusing bool, fault *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusing, p.fault
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, password := credentials(r); user != p.User || password != p.Password {
		writeError(w, http.StatusForbidden, 516, user+": Authentication failed: password is incorrect, "+
			"or there is no user with such name. (AUTHENTICATION_FAILED)")
		return
	}
	_, fault := p.state()
	if fault == nil || !strings.Contains(queryOf(r), fault.Queries) {
		p.engine.ServeHTTP(w, r)
		return
	}
	p.faults.Add(1)
	if fault.Late {
		p.engine.ServeHTTP(httptest.NewRecorder(), r)
	}
	_, _ = io.Copy(io.Discard, r.Body) // the client reads the error only once it has sent its data
	writeError(w, http.StatusInternalServerError, fault.Code, fault.Message)
}

func credentials(r *http.Request) (user, password string) {
	if user, password, ok := r.BasicAuth(); ok {
		return user, password
	}
	return r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
}

// queryOf is the text of the query, or its beginning. The body can still be read from its start afterwards.
func queryOf(r *http.Request) string {
	if query := r.URL.Query().Get("query"); query != "" {
		return query
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, peekedBytes))
	remaining := r.Body
	if err != nil {
		remaining = http.NoBody
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), remaining), r.Body}
	return string(head)
}

// writeError writes an error as ClickHouse does.
func writeError(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	w.WriteHeader(status)
	fmt.Fprintf(w, "Code: %d. DB::Exception: %s (version 26.7.3.1 (official build))\n", code, message)
}

// resettingListener resets new connections while the proxy refuses them.
type resettingListener struct {
	net.Listener
	proxy *Proxy
}

// Accept implements net.Listener.
func (l *resettingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if refusing, _ := l.proxy.state(); !refusing {
			return conn, nil
		}
		_ = conn.(*net.TCPConn).SetLinger(0) // Close then sends a reset, as a closed port does
		_ = conn.Close()
	}
}

// Certificate creates a self-signed certificate for this machine. It returns the files of the certificate and of its
// key.
func Certificate(t testing.TB) (certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", private)
}
