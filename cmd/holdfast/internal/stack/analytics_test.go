package stack

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// The tables of an older program in the embedded ClickHouse do not keep the platform from starting.
func TestTheStackStartsOnTablesOfAnOlderProgram(t *testing.T) {
	ctx, dir := logtest.Context(t), t.TempDir()
	for range 2 {
		stack, err := Start(ctx, Config{Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0",
			ClickHouseListen: "127.0.0.1:0", Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := clickhouse.Open(stack.ClickHouse())
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Exec(ctx, "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited')", nil,
			nil)
		if err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	}
}

// slowClickHouse is one that takes no rows until it is told to. It closes held when it was given some.
func slowClickHouse(t *testing.T) (dsn string, held <-chan struct{}, release func()) {
	t.Helper()
	server, err := chdb.Start(logtest.Context(t), chdb.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL(clickhouse.DefaultDatabase))
	if err != nil {
		t.Fatal(err)
	}
	engine := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address.Host})
	waiting, released := make(chan struct{}), make(chan struct{})
	waits := sync.OnceFunc(func() { close(waiting) })
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query().Get("query")
		if strings.Contains(query, "INSERT INTO") && !strings.Contains(query, "schema_migrations") {
			waits()
			<-released
		}
		engine.ServeHTTP(w, r)
	}))
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(func() { release(); slow.Close() })
	address.Host = strings.TrimPrefix(slow.URL, "http://")
	return address.String(), waiting, release
}

// However long it takes until ClickHouse holds the log, orders and stock are served meanwhile.
func TestTheStackIsReadyBeforeItsMirrorIsFilled(t *testing.T) {
	log := logtest.Config(t)
	register(t, startOn(t, log, 1), "A1")
	dsn, held, release := slowClickHouse(t)
	stack, err := Start(logtest.Context(t), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: log, ClickHouse: dsn})
	if err != nil {
		t.Fatal(err)
	}
	select { // it was ready without a single row
	case <-held:
	case <-logtest.Context(t).Done():
		t.Fatal("the mirror is given nothing")
	}
	register(t, stack, "A2")
	release()
	if err := stack.Close(); err != nil {
		t.Error(err)
	}
}
