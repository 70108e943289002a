// Package chdbtest gives the tests of a package one ClickHouse, and each of them a database of its own: an embedded one,
// or the server whose address HOLDFAST_TEST_CLICKHOUSE holds.
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

// shared starts with the first test that asks for it, and ends with the last of all.
var shared struct {
	once   sync.Once
	dir    string
	server *chdb.Server
	err    error
}

var databases atomic.Int64

// Main is a package's TestMain. The engine is the test program again, and so may be other processes that the tests
// need: each of asChild looks whether it is meant, and does not return then.
func Main(m *testing.M, asChild ...func()) {
	engine.RunIfChild()
	for _, run := range asChild {
		run()
	}
	status := m.Run()
	if shared.server != nil {
		shared.server.Close()
	}
	_ = os.RemoveAll(shared.dir) // the status is what counts
	os.Exit(status)
}

// Server is the package's embedded server, which its tests leave running.
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

// serverVariable holds the address of a real server, with a user who may create and drop databases.
const serverVariable = "HOLDFAST_TEST_CLICKHOUSE"

// Database is the address of a database that nobody else uses, and that is not there yet.
func Database(t testing.TB) string {
	t.Helper()
	address := os.Getenv(serverVariable)
	if address == "" {
		return DatabaseOn(Server(t))
	}
	dsn, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%s is no address: %v", serverVariable, err)
	}
	dsn.Path = "/test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() { drop(t, dsn.String()) })
	return dsn.String()
}

// dropTimeout bounds what a test leaves to do.
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

// DatabaseOn is Database on an embedded server of the test's own.
func DatabaseOn(server *chdb.Server) string {
	return fmt.Sprintf("http://%s/test_%d", server.Addr(), databases.Add(1))
}
