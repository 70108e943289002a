package run

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/test/freeport"
)

// overTLS asks a server whose certificate is in the file. It makes a connection for each question.
func overTLS(t *testing.T, url, certificate string) (answer *http.Response, body string, err error) {
	t.Helper()
	pem, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err = transport.RoundTrip(request); err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	return answer, string(read), err
}

// A service with a certificate encrypts both of its addresses, takes nothing in clear, and takes a new certificate
// without a restart.
func TestAServiceEncryptsHTTP(t *testing.T) {
	certificate, key := chdbtest.Certificate(t)
	listen, admin := freeport.Address(t), freeport.Address(t)
	p := Program{Name: "service", Run: func(context.Context, Service) error { return errors.New("Kafka has answered") }}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(logtest.Context(t))
	go func() {
		ended <- p.Start(ctx, []string{
			"--kafka", freeport.Address(t), "--listen", listen, "--admin-listen", admin,
			"--tls-cert", certificate, "--tls-key", key,
		})
	}()
	var answer *http.Response
	var body string
	for asked := errors.New("not asked"); asked != nil; {
		if answer, body, asked = overTLS(t, "https://"+listen+"/healthz", certificate); asked != nil &&
			backoff.Sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatalf("it does not listen: %v", asked)
		}
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") != "max-age=31536000" ||
		answer.TLS.Version != tls.VersionTLS13 || answer.Proto != "HTTP/1.1" {
		t.Errorf("%s %v %s %x: %s", answer.Status, answer.Header, answer.Proto, answer.TLS.Version, body)
	}
	if answer, body, err := overTLS(t, "https://"+admin+"/metrics", certificate); err != nil ||
		answer.StatusCode != http.StatusOK {
		t.Errorf("metrics: %v %s", err, body)
	}
	for _, address := range []string{listen, admin} {
		answer, body, err := overTLS(t, "http://"+address+"/healthz", certificate)
		if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "HTTPS server") {
			t.Errorf("in clear: %v %v %s", err, answer, body)
		}
	}
	files := httpapi.TLS{Cert: certificate, Key: key}
	if err := Ready(ctx, listen, files); err == nil || !strings.Contains(err.Error(), "not ready: 503") {
		t.Errorf("--ready: %v", err)
	}
	before := answer.TLS.PeerCertificates[0]
	for from, to := range renewed(t, certificate, key) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	answer, _, err := overTLS(t, "https://"+listen+"/healthz", certificate)
	if err != nil || answer.TLS.PeerCertificates[0].Equal(before) {
		t.Errorf("the renewed certificate is not in use: %v", err)
	}
	stop()
	if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "no broker has answered: ") {
		t.Errorf("told to stop: %v", err)
	}
}

// renewed are the files of another certificate, by where those that they replace are.
func renewed(t *testing.T, certificate, key string) map[string]string {
	t.Helper()
	newCertificate, newKey := chdbtest.Certificate(t)
	return map[string]string{newCertificate: certificate, newKey: key}
}

// Files that cannot be used are refused before anything is started.
func TestCertificatesThatCannotBeUsed(t *testing.T) {
	certificate, key := chdbtest.Certificate(t)
	_, another := chdbtest.Certificate(t)
	for _, test := range []struct {
		cert, key, want string
	}{
		{certificate, "", "--tls-cert and --tls-key belong together"},
		{"", key, "--tls-cert and --tls-key belong together"},
		{certificate, another, "private key does not match public key"},
		{certificate + ".gone", key, "no such file"},
	} {
		p := Program{Name: "service", Run: func(context.Context, Service) error { return errors.New("started") }}
		err := p.Start(t.Context(), []string{"--tls-cert", test.cert, "--tls-key", test.key})
		if err == nil || !strings.HasPrefix(err.Error(), "settings: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
