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

// peekedBytes of a query are looked at to see what it is.
const peekedBytes = 64 << 10

// Proxy stands in front of the package's embedded ClickHouse and does what that cannot: it has a user with a password,
// TLS, and faults on demand.
type Proxy struct {
	// User and Password are the ones that it lets in.
	User, Password string
	// CA is the file of the certificate, where there is TLS.
	CA     string
	server *httptest.Server
	engine *httputil.ReverseProxy
	faults atomic.Int64

	mu    sync.Mutex
	away  bool
	fault *Fault
}

// Fault is what the proxy answers in ClickHouse's place.
type Fault struct {
	// Queries that contain this text fail; empty: all.
	Queries string
	Code    int
	// Message is ClickHouse's own, with the name of the code: "Not enough space. (NOT_ENOUGH_SPACE)".
	Message string
	// Late faults are told once the query has done its work.
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
	engine := &url.URL{Scheme: "http", Host: Server(t).Addr()}
	p := &Proxy{User: "projector", Password: "it's a 100% secret/?"}
	p.engine = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(engine) }}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = nil
	p.server.Listener = &moodyListener{p.server.Listener, p}
	t.Cleanup(p.server.Close)
	return p
}

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.server.Listener.Addr().String() }

// DSN is the address of the database for the user, by the CA where there is TLS.
func (p *Proxy) DSN(database string) string {
	dsn := url.URL{Scheme: "http", User: url.UserPassword(p.User, p.Password), Host: p.Addr(), Path: "/" + database}
	if p.CA != "" {
		dsn.Scheme, dsn.RawQuery = "https", url.Values{"ca": {p.CA}}.Encode()
	}
	return dsn.String()
}

// Refuse lets nobody connect, and ends the connections that there are.
func (p *Proxy) Refuse() {
	p.set(true, nil)
	p.server.CloseClientConnections()
}

// Fail answers with the fault until the next call.
func (p *Proxy) Fail(f Fault) { p.set(false, &f) }

// Heal lets everything through again.
func (p *Proxy) Heal() { p.set(false, nil) }

// Faults counts the queries that failed as Fail said.
func (p *Proxy) Faults() int64 { return p.faults.Load() }

func (p *Proxy) set(away bool, fault *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.fault = away, fault
}

func (p *Proxy) state() (away bool, fault *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away, p.fault
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, password := credentials(r); user != p.User || password != p.Password {
		refuse(w, http.StatusForbidden, 516, user+": Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)")
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
	_, _ = io.Copy(io.Discard, r.Body) // so that the client gets to reading why
	refuse(w, http.StatusInternalServerError, fault.Code, fault.Message)
}

func credentials(r *http.Request) (user, password string) {
	if user, password, ok := r.BasicAuth(); ok {
		return user, password
	}
	return r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
}

// queryOf is the text of the query, or its beginning, and leaves the body as it was.
func queryOf(r *http.Request) string {
	if query := r.URL.Query().Get("query"); query != "" {
		return query
	}
	head, err := io.ReadAll(io.LimitReader(r.Body, peekedBytes))
	rest := r.Body
	if err != nil {
		rest = http.NoBody
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), r.Body}
	return string(head)
}

// refuse answers as ClickHouse does.
func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	w.WriteHeader(status)
	fmt.Fprintf(w, "Code: %d. DB::Exception: %s (version 26.7.3.1 (official build))\n", code, message)
}

// moodyListener resets connections while the proxy is away.
type moodyListener struct {
	net.Listener
	proxy *Proxy
}

// Accept implements net.Listener.
func (l *moodyListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if away, _ := l.proxy.state(); !away {
			return conn, nil
		}
		_ = conn.(*net.TCPConn).SetLinger(0) // the reset that a closed port sends
		_ = conn.Close()
	}
}

// Certificate makes one for this machine, signed by itself, and returns the files of it and of its key.
func Certificate(t testing.TB) (certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
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
