package clickhouse_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// ping connects to the address, and returns the error if it cannot.
func ping(t *testing.T, address string) error {
	t.Helper()
	conn, err := clickhouse.Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return conn.Ping(ctx)
}

// says checks that an error contains these texts, and no password.
func says(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: it says %v, want %q", what, err, text)
		}
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("%s: the password is in it: %v", what, err)
	}
}

func TestUsersAndPasswords(t *testing.T) {
	for name, proxy := range map[string]*chdbtest.Proxy{"plain": chdbtest.NewProxy(t), "TLS": chdbtest.NewTLSProxy(t)} {
		t.Run(name, func(t *testing.T) {
			if err := ping(t, proxy.DSN("x")); err != nil {
				t.Error(err)
			}
			for what, user := range map[string]*url.Userinfo{
				"a wrong password": url.UserPassword(proxy.User, "another secret"),
				"another user":     url.UserPassword("x", proxy.Password),
				"no user":          nil,
			} {
				address, err := url.Parse(proxy.DSN("x"))
				if err != nil {
					t.Fatal(err)
				}
				address.User = user
				says(t, what, ping(t, address.String()), "user or password is wrong", "code 516")
			}
		})
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	proxy := chdbtest.NewTLSProxy(t)
	address := func(scheme, parameters string) string {
		dsn := url.URL{
			Scheme: scheme, User: url.UserPassword(proxy.User, proxy.Password), Host: proxy.Addr(),
			Path: "/x", RawQuery: parameters,
		}
		return dsn.String()
	}
	other, _ := chdbtest.Certificate(t)
	const untrusted = "is not to be trusted: name the CA's file in the address, ?ca=FILE"
	says(t, "no CA", ping(t, address("https", "")), untrusted, "unknown authority")
	says(t, "another CA", ping(t, address("https", "ca="+url.QueryEscape(other))), untrusted)
	says(t, "another host", ping(t, strings.Replace(proxy.DSN("x"), "127.0.0.1", "localhost", 1)), untrusted)
	if err := ping(t, address("https", "secure=true&ca="+url.QueryEscape(proxy.CA))); err != nil {
		t.Error(err)
	}
	says(t, "no TLS", ping(t, address("http", "")), "does not answer")

	plain := chdbtest.NewProxy(t)
	for _, scheme := range []string{"https", "clickhouse"} {
		dsn := url.URL{Scheme: scheme, Host: plain.Addr(), Path: "/x", RawQuery: "secure=true"}
		says(t, "TLS on a port without: "+scheme, ping(t, dsn.String()), "speaks no TLS there")
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	text := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(text, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"":                                      "use http://host:8123/holdfast",
		"http://user:secret@host/x?ca=%zz":      "write %25 for a %",
		"http://user:secret@host/x?ca=" + text:  "names a CA but no TLS",
		"https://user:secret@host/x?ca=/none":   "the CA of ClickHouse: open /none",
		"https://user:secret@host/x?ca=" + text: "holds no certificate in PEM",
		"http://user:secret@[x/":                "use http://host:8123/holdfast",
	} {
		_, err := clickhouse.Open(address)
		says(t, address, err, want)
	}
}

// A query that ends because its context ends is not reported as a server that does not answer.
func TestTheEndOfTheContextIsReportedAsSuch(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	const slow = "SELECT toInt64(sum(sleepEachRow(1))) FROM numbers(60)"
	settings := clickhouse.Settings{"max_block_size": 1}
	err := conn.Each(short, slow, settings, nil, func(rows clickhouse.Rows) error { return rows.Scan(new(int64)) })
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "does not answer") {
		t.Errorf("it says %v", err)
	}
	says(t, "a slow query", err, "was not done in time to query")
	ended, end := context.WithCancel(ctx)
	end()
	if err := conn.Exec(ended, "SELECT 1", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
}

// A user who may only read and write can work with tables that somebody else has created.
func TestAUserWithoutCreate(t *testing.T) {
	proxy := chdbtest.NewProxy(t)
	address, err := url.Parse(chdbtest.DatabaseOn(chdbtest.Server(t)))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(proxy.DSN(strings.TrimPrefix(address.Path, "/")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	denied := chdbtest.Fault{
		Queries: "CREATE ", Code: 497,
		Message: "projector: Not enough privileges. To execute this query, " +
			"it's necessary to have the grant CREATE DATABASE ON birds.*. (ACCESS_DENIED)",
	}
	proxy.Fail(denied)
	err = conn.Migrate(ctx, migrations(t, first))
	says(t, "there are no tables", err,
		`the user "projector" lacks a grant: GRANT CREATE DATABASE ON birds.* TO projector`)
	if !clickhouse.IsDenied(err) || clickhouse.IsDenied(conn.Missing("birds")) {
		t.Errorf("it is not told from other errors: %v", err)
	}
	proxy.Heal()
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Fatal(err)
	}
	proxy.Fail(denied)
	if err := conn.Migrate(ctx, migrations(t, first)); err != nil {
		t.Errorf("all tables exist: %v", err)
	}
	if proxy.Faults() != 1 {
		t.Errorf("%d statements were denied", proxy.Faults())
	}
}
