package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates of replicas.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "replicas"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.file = a.sign(a.cert, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes a certificate to a file.
func (a *authority) sign(cert *x509.Certificate, key *ecdsa.PrivateKey) string {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return writePEM(a.t, "CERTIFICATE", der)
}

// replica is what a replica at the address is started with.
func (a *authority) replica(ip string) TLS {
	a.t.Helper()
	return a.issue(&x509.Certificate{IPAddresses: []net.IP{net.ParseIP(ip)}})
}

// named is what each replica is started with that has this name in its certificate, and no address.
func (a *authority) named(name string) TLS {
	a.t.Helper()
	t := a.issue(&x509.Certificate{DNSNames: []string{name}})
	t.Name = name
	return t
}

// issue writes a certificate for what is named.
func (a *authority) issue(cert *x509.Certificate) TLS {
	a.t.Helper()
	cert.SerialNumber, cert.NotAfter = big.NewInt(2), time.Now().Add(time.Hour)
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	key := newKey(a.t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return TLS{
		Cert: a.sign(cert, key), Key: writePEM(a.t, "PRIVATE KEY", der), CA: a.file,
	}
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReplicasKnowEachOtherByCertificate(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	here, there := ours.replica("127.0.0.1"), ours.replica("127.0.0.1")
	stranger := theirs.replica("127.0.0.1")
	stranger.CA = ours.file // it trusts us
	trusting := there
	trusting.CA = theirs.file
	for name, tc := range map[string]struct {
		server, client TLS
		want           string
	}{
		"both of one authority":             {here, there, peerAnswered},
		"both of one name":                  {ours.named("replicas"), ours.named("replicas"), peerAnswered},
		"a server of another name":          {ours.named("others"), ours.named("replicas"), peerGone},
		"a server of the name, by address":  {ours.named("replicas"), there, peerGone},
		"a name of another authority":       {theirs.named("replicas"), ours.named("replicas"), peerGone},
		"both in plain text":                {TLS{}, TLS{}, peerAnswered},
		"a caller of another authority":     {here, stranger, peerGone},
		"a server of another authority":     {here, trusting, peerGone},
		"a server that is another host":     {ours.replica("127.0.0.2"), there, peerGone},
		"a caller in plain text":            {here, TLS{}, peerGone},
		"a server that speaks only in text": {TLS{}, there, peerGone},
	} {
		t.Run(name, func(t *testing.T) {
			l := linkTo(t, startPeer(t, credentialsOf(t, tc.server)), credentialsOf(t, tc.client))
			if says := l.ask(t); !strings.HasPrefix(says, tc.want) {
				t.Errorf("%s, want %s", says, tc.want)
			}
		})
	}
}

// become replaces the files by those of another certificate.
func (t TLS) become(test *testing.T, other TLS) {
	test.Helper()
	for ours, theirs := range map[string]string{t.Cert: other.Cert, t.Key: other.Key, t.CA: other.CA} {
		content, err := os.ReadFile(theirs)
		if err != nil {
			test.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(ours+".new", content, 0o600), os.Rename(ours+".new", ours)); err != nil {
			test.Fatal(err)
		}
	}
}

// New connections are made with the certificates that are there when they are made, on both sides.
func TestCertificatesAreRotatedWithoutARestart(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	here, there := before.replica("127.0.0.1"), before.replica("127.0.0.1")
	here.CA, there.CA = writeCopy(t, here.CA), writeCopy(t, there.CA)
	server := startPeer(t, credentialsOf(t, here))
	creds := credentialsOf(t, there)
	ask := func(creds peerCredentials, want string) {
		t.Helper()
		if says := linkTo(t, server, creds).ask(t); !strings.HasPrefix(says, want) {
			t.Errorf("%s, want %s", says, want)
		}
	}
	ask(creds, peerAnswered)
	here.become(t, after.replica("127.0.0.1"))
	ask(creds, peerGone) // which still is of the authority before
	ask(credentialsOf(t, after.replica("127.0.0.1")), peerAnswered)
	there.become(t, after.replica("127.0.0.1"))
	ask(creds, peerAnswered)
	for _, file := range []string{here.Cert, here.Key, here.CA, there.Cert, there.CA} {
		if err := os.WriteFile(file, []byte("half of a certi"), 0o600); err != nil {
			t.Fatal(err)
		}
		ask(creds, peerAnswered)
	}
}

func writeCopy(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestCertificatesThatCannotBeUsedAreRefused(t *testing.T) {
	good := newAuthority(t).replica("127.0.0.1")
	for _, tc := range []struct {
		files TLS
		want  string
	}{
		{TLS{Cert: good.Cert}, "set all of them, or none"},
		{TLS{Name: "replicas"}, "--peer-name needs them"},
		{TLS{Cert: good.Cert, Key: good.Key}, "set all of them, or none"},
		{TLS{Cert: good.Cert, CA: good.CA}, "set all of them, or none"},
		{TLS{Cert: good.Key, Key: good.Key, CA: good.CA}, "--peer-cert"},
		{TLS{Cert: good.Cert, Key: "nowhere", CA: good.CA}, "--peer-key nowhere"},
		{TLS{Cert: good.Cert, Key: good.Key, CA: "nowhere"}, "--peer-ca: open nowhere"},
		{TLS{Cert: good.Cert, Key: good.Key, CA: good.Key}, "holds no certificate in PEM"},
	} {
		if _, err := Start(Config{TLS: tc.files}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %s", tc.files, err, tc.want)
		}
	}
}
