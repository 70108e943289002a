// Package chdbtest gives the tests of a package a ClickHouse to share, and each test a database of its own. The
// ClickHouse is an embedded one, or the server whose address is in HOLDFAST_TEST_CLICKHOUSE. proxy.go is a proxy with a
// password, TLS and injected faults.
package chdbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

// shared is the package's embedded server. The first test that needs it starts it; Main closes it.
var shared struct {
	once   sync.Once
	dir    string
	server *chdb.Server
	err    error
}

// databaseCount numbers the databases on embedded servers.
var databaseCount atomic.Int64

// Main is a package's TestMain. The engine's process runs the test binary too, and so may other processes that tests
// start. Each function of runIfChild must return at once in the test's own process, and must not return in the process
// that it is meant for.
func Main(m *testing.M, runIfChild ...func()) {
	engine.RunIfChild()
	for _, run := range runIfChild {
		run()
	}
	status := m.Run()
	if shared.server != nil {
		shared.server.Close()
	}
	_ = os.RemoveAll(shared.dir) // a leftover folder must not change the status of the tests
	os.Exit(status)
}

// Server is the package's embedded server. Tests must not close it or kill its engine.
func Server(t testing.TB) *chdb.Server {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "holdfast-clickhouse-"); shared.err == nil {
			shared.server, shared.err = chdb.Start(context.Background(), chdb.Options{Dir: shared.dir})
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Password is the password of a server, for requests that are written by hand.
func Password(t testing.TB, server *chdb.Server) string {
	t.Helper()
	address, err := url.Parse(server.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	return password
}

// serverEnv names the variable with the address of a real server. Its user must be allowed to create and drop
// databases.
const serverEnv = "HOLDFAST_TEST_CLICKHOUSE"

// Database is the address of a database that does not exist yet and that no other test uses.
func Database(t testing.TB) string {
	t.Helper()
	address := os.Getenv(serverEnv)
	if address == "" {
		return DatabaseOn(Server(t))
	}
	dsn, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%s is no address: %v", serverEnv, err)
	}
	dsn.Path = "/test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() { drop(t, dsn.String()) })
	return dsn.String()
}

// dropTimeout bounds the clean-up after a test.
const dropTimeout = 30 * time.Second

func drop(t testing.TB, address string) {
	conn, err := clickhouse.Open(address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	if err := conn.DropDatabase(ctx); err != nil {
		t.Error(err)
	}
}

// DatabaseOn is Database on an embedded server that the test has started itself.
func DatabaseOn(server *chdb.Server) string {
	return server.URL(fmt.Sprintf("test_%d", databaseCount.Add(1)))
}

// Parses fails the test unless the engine can read a statement. It does not run it.
func Parses(t testing.TB, conn *clickhouse.Conn, statement string) {
	t.Helper()
	if err := conn.Migrate(context.Background(), &clickhouse.Migrations{}); err != nil { // it needs its database
		t.Fatal(err)
	}
	err := conn.Each(context.Background(), "SELECT formatQuery({statement:String})", nil,
		clickhouse.Parameters{"statement": statement}, func(rows clickhouse.Rows) error { return rows.Scan(new(string)) })
	if err != nil {
		t.Errorf("%v\n%s", err, statement)
	}
}
