// Package metrics_test runs all services as their binaries do, and looks at what they measure. docs/metrics.md is made
// here.
package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/analytics"
	"github.com/holdfast/holdfast/cmd/internal/run/inventory"
	"github.com/holdfast/holdfast/cmd/internal/run/orderapi"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/verify"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// recorder is a registry that remembers what was registered: a metric with labels is not gathered before its first use.
type recorder struct {
	*prometheus.Registry
	mu         sync.Mutex
	collectors []prometheus.Collector
}

func newRecorder() *recorder { return &recorder{Registry: service.Registry()} }

// Register implements prometheus.Registerer.
func (r *recorder) Register(c prometheus.Collector) error {
	if err := r.Registry.Register(c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectors = append(r.collectors, c)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// platform has every service, each with a registry of its own as in a process of its own.
type platform struct {
	t          *testing.T
	log        *logtest.Log
	registries map[string]*recorder
	commands   string // URL of an order-api
	queries    string // URL of query-api
}

// startPlatform starts two replicas of order-api and one of each other service, and waits until all are ready.
func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{
		t: t, log: logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 2}), registries: map[string]*recorder{},
	}
	clickHouse := chdbtest.Database(t)
	orderAPI := func(mode access.Mode) func(context.Context, run.Service) error {
		return func(ctx context.Context, s run.Service) error {
			return orderapi.Run(ctx, orderapi.Config{
				Service: s, DataDir: t.TempDir(), StandbyEvery: 50 * time.Millisecond, Access: string(mode),
			})
		}
	}
	p.start("order-api-2", orderAPI(access.ByKey)) // nobody calls it
	p.commands = p.start("order-api", orderAPI(access.Off))
	p.start("inventory-projector", inventory.Run)
	p.start("analytics-projector", func(ctx context.Context, s run.Service) error {
		return analytics.Run(ctx, analytics.Config{Service: s, ClickHouse: clickHouse, ReadyInsights: true})
	})
	queryAPI := func(mode access.Mode) func(context.Context, run.Service) error {
		return func(ctx context.Context, s run.Service) error {
			return queryapi.Run(ctx, queryapi.Config{
				Service: s, DataDir: t.TempDir(), ClickHouse: clickHouse, Access: string(mode),
			})
		}
	}
	p.start("query-api-2", queryAPI(access.ByKey)) // likewise
	p.queries = p.start("query-api", queryAPI(access.Off))
	auditor := p.start("auditor", func(ctx context.Context, s run.Service) error { return audit(ctx, s, t.TempDir()) })
	for _, url := range []string{p.commands, p.queries, auditor} {
		p.log.Eventually(url+" is ready", func() bool {
			status, _ := p.do(http.MethodGet, url+"/readyz", "")
			return status == http.StatusOK
		})
	}
	return p
}

// audit is holdfast verify --follow.
func audit(ctx context.Context, s run.Service, dir string) error {
	client, err := eventlog.Open(s.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	auditor, err := verify.NewAuditor(verify.AuditorConfig{
		Dir: dir, Client: client, Layout: s.Layout, Logger: s.Logger, Registerer: s.Registry,
		Grace: verify.DefaultGrace, OverdueAfter: verify.DefaultOverdueAfter,
	})
	if err != nil {
		return err
	}
	server, serve, err := s.HTTP()
	if err != nil {
		return errors.Join(err, auditor.Close())
	}
	server.AddCheck(auditor.Ready)
	return errors.Join(service.Run(ctx, auditor.Run, serve), auditor.Close())
}

// start starts a service, and returns its URL once it listens. It is stopped when the test ends, the last one first.
func (p *platform) start(name string, work func(context.Context, run.Service) error) (url string) {
	p.t.Helper()
	listening, ended := make(chan string, 1), make(chan error, 1)
	p.registries[name] = newRecorder()
	log := p.log.Config
	log.ClientID, log.Registerer = name, p.registries[name]
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- work(ctx, run.Service{
			Log: log, Layout: p.log.Layout, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
			Registry: p.registries[name], Ready: func(address string) { listening <- address },
		})
	}()
	p.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			p.t.Errorf("%s: %v", name, err)
		}
	})
	select {
	case address := <-listening:
		return "http://" + address
	case err := <-ended:
		ended <- nil
		p.t.Fatalf("%s: %v", name, err)
	}
	return ""
}

// do sends a request and returns the answer.
func (p *platform) do(method, url, body string, headers ...string) (status int, answer string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(logtest.Context(p.t), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// use places orders, reads them, and asks for reports, until all of it is visible.
func (p *platform) use() {
	p.t.Helper()
	const orders = 20
	want := func(expect int, method, url, body string, headers ...string) {
		p.t.Helper()
		if status, answer := p.do(method, url, body, headers...); status != expect {
			p.t.Fatalf("%s %s: %d %s", method, url, status, answer)
		}
	}
	skus := []string{p.log.KeyIn(0), p.log.KeyIn(1), p.log.KeyIn(2), p.log.KeyIn(3)}
	for _, sku := range skus {
		want(200, http.MethodPut, p.commands+"/v1/stock/"+sku, `{"description":"Lamp"}`)
		want(201, http.MethodPost, p.commands+"/v1/stock/"+sku+"/receipts", `{"location":"main","quantity":1000}`,
			"Idempotency-Key: receipt-"+sku)
	}
	for i := range orders {
		body := fmt.Sprintf(`{"customer_id":"c-%d","currency":"GBP","payment_terms":"on_account","lines":[
			{"sku":%q,"quantity":1,"unit_price":"2.50"},{"sku":%q,"quantity":1,"unit_price":"2.50"}]}`,
			i, skus[i%4], skus[(i+1)%4])
		want(201, http.MethodPost, p.commands+"/v1/orders", body, fmt.Sprintf("Idempotency-Key: order-%d", i))
	}
	want(404, http.MethodPost, p.commands+"/v1/stock/none/receipts", `{"location":"main","quantity":1}`,
		"Idempotency-Key: none")
	p.log.Eventually("the views have the orders", func() bool {
		_, list := p.do(http.MethodGet, p.queries+"/v1/orders?customer_id=c-19", "")
		status, _ := p.do(http.MethodGet, p.queries+"/v1/availability/"+skus[0], "")
		return strings.Contains(list, "c-19") && status == http.StatusOK
	})
	p.log.Eventually("the reports have the orders", func() bool {
		_, report := p.do(http.MethodGet, p.queries+"/v1/insights/revenue?measures=orders", "")
		return strings.Contains(report, `"20"`) || strings.Contains(report, ":20")
	})
}
