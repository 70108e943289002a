package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// answer by hand: the tests here are about HTTP, what is decided is tested with the shards.
type handFuture struct {
	accepted, done chan struct{}
	early, result  shard.Result
}

func newHandFuture() *handFuture {
	return &handFuture{accepted: make(chan struct{}), done: make(chan struct{})}
}

func (f *handFuture) Accepted() <-chan struct{}    { return f.accepted }
func (f *handFuture) Done() <-chan struct{}        { return f.done }
func (f *handFuture) Result() shard.Result         { return f.result }
func (f *handFuture) AcceptedResult() shard.Result { return f.early }

func (f *handFuture) accept(r shard.Result) {
	f.early = r
	close(f.accepted)
}

func (f *handFuture) finish(r shard.Result) {
	select {
	case <-f.accepted:
	default:
		f.accept(r)
	}
	f.result = r
	close(f.done)
}

// desk takes commands in place of the shards.
type desk struct {
	mu       sync.Mutex
	commands []*shard.Command
	// decide answers; nil: done.
	decide func(cmd *shard.Command, f *handFuture)
	// queue says that all commands wait in one queue of this replica.
	queue bool
}

func (d *desk) behind(_ future, cmd *shard.Command) future {
	if !d.queue {
		return nil
	}
	return d.submit(cmd)
}

// api has the desk in place of the shards.
func (d *desk) api() *commandAPI {
	return &commandAPI{submit: d.submit, behind: d.behind, now: time.Now}
}

func (d *desk) submit(cmd *shard.Command) future {
	d.mu.Lock()
	d.commands = append(d.commands, cmd)
	d.mu.Unlock()
	f := newHandFuture()
	if d.decide != nil {
		d.decide(cmd, f)
	} else {
		f.finish(success(cmd))
	}
	return f
}

func (d *desk) taken() []*shard.Command {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*shard.Command(nil), d.commands...)
}

func success(cmd *shard.Command) shard.Result {
	if cmd.Order != nil {
		return shard.Result{Version: 2, Order: &shard.OrderSummary{
			ID: cmd.ID, Version: 2, Status: "reserved", PaymentStatus: "pending",
			FulfilmentStatus: "unfulfilled", ReturnStatus: "none", Currency: "GBP", TotalMicros: 5_100_000,
		}}
	}
	return shard.Result{Version: 3, Stock: &shard.StockSummary{SKU: cmd.ID, Version: 3}}
}

// site is a server with the desk behind it.
type site struct {
	*httptest.Server
	desk     *desk
	registry *prometheus.Registry
	server   *Server
}

func newSite(t testing.TB, d *desk) *site {
	t.Helper()
	registry := prometheus.NewRegistry()
	server, err := NewServer(Config{Logger: slog.New(slog.DiscardHandler), Registerer: registry, Gatherer: registry})
	if err != nil {
		t.Fatal(err)
	}
	d.api().register(server.Router())
	s := &site{httptest.NewUnstartedServer(server.Handler()), d, registry, server}
	s.Config.MaxHeaderBytes = MaxHeaderBytes
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// reply is what a request got.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) problem(t testing.TB) problemDocument {
	t.Helper()
	var p problemDocument
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d %s is no problem: %s", r.status, got, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	return p
}

type problemDocument struct {
	Code   string `json:"code"`
	Status int    `json:"status"`
	Errors []struct {
		Pointer string `json:"pointer"`
	} `json:"errors"`
}

// do sends a request; headers are "Name: value", a key is added unless one is given.
func (s *site) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", "k-1")
	request.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if request.Header.Set(name, value); value == "" {
			request.Header.Del(name)
		}
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s.desk != nil { // shelves of queries hold what a test puts there
		if faults := apitest.Open(t).Check(request, []byte(body), response, answer); faults != "" {
			t.Errorf("%s %s: %d is not as schemas/openapi.yaml has it:\n%s%s", method, path, response.StatusCode, faults, answer)
		}
	}
	return reply{response.StatusCode, response.Header, string(answer)}
}
