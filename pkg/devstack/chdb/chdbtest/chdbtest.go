// Package chdbtest gives the tests of a package one embedded ClickHouse, and each of them a database of its own.
package chdbtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

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

// Server is the package's server, which its tests leave running.
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

// Database is the address of a database that nobody else uses, and that is not there yet.
func Database(t testing.TB) string {
	t.Helper()
	return DatabaseOn(Server(t))
}

// DatabaseOn is Database on a server of the test's own.
func DatabaseOn(server *chdb.Server) string {
	return fmt.Sprintf("http://%s/test_%d", server.Addr(), databases.Add(1))
}
