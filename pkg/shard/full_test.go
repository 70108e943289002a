package shard_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/commands"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// counted is a replica with its metrics and its API.
type counted struct {
	*shard.Node
	registry *prometheus.Registry
	url      string
}

func (p *platform) startCounted(cfg shard.Config) *counted {
	p.t.Helper()
	registry := prometheus.NewRegistry()
	cfg.DataDir, cfg.Registerer = p.t.TempDir(), registry
	n := p.startAs(cfg)
	server, err := httpapi.NewServer(httpapi.Config{})
	if err != nil {
		p.t.Fatal(err)
	}
	commands.Register(server.Router(), commands.Deps{Submit: n.Submit})
	api := httptest.NewServer(server.Handler())
	p.t.Cleanup(api.Close)
	return &counted{n, registry, api.URL}
}

// fill submits as many receipts as the queue has room for, while nobody decides them.
func fill(t *testing.T, n *shard.Node, sku string, size int) []*shard.Future {
	t.Helper()
	waiting := make([]*shard.Future, size)
	for i := range waiting {
		waiting[i] = n.Submit(receipt(t, sku, fmt.Sprintf("fill-%d", i)))
	}
	for i, fut := range waiting {
		select {
		case <-fut.Done():
			t.Fatalf("%d of %d is answered at once: %+v", i, size, fut.Result())
		default:
		}
	}
	return waiting
}

// refusesMore checks that one more command is refused, by its future and over HTTP.
func (n *counted) refusesMore(t *testing.T, sku string) {
	t.Helper()
	fut := n.Submit(receipt(t, sku, "one more"))
	select {
	case <-fut.Done():
	case <-time.After(waitLimit):
		t.Fatal("the command beyond a full queue is not answered")
	}
	if r := fut.Result(); r.Code != problem.TooManyRequests || r.RetryAfterSeconds != 1 || r.Detail == "" {
		t.Errorf("%+v", r)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.url+"/v1/stock/"+sku+"/receipts",
		strings.NewReader(`{"quantity":1}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "one more")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
}

func (n *counted) refusals(t *testing.T, want int) {
	t.Helper()
	expected := "# HELP holdfast_shard_queue_full_total Commands refused because the queue of their shard, " +
		"or of the replica that serves it, was full.\n" +
		"# TYPE holdfast_shard_queue_full_total counter\n" +
		fmt.Sprintf("holdfast_shard_queue_full_total %d\n", want)
	err := testutil.GatherAndCompare(n.registry, strings.NewReader(expected), "holdfast_shard_queue_full_total")
	if err != nil {
		t.Error(err)
	}
}

// spread waits until each of two replicas serves one of two shards and knows the other, and names a SKU of each.
func spread(t *testing.T, nodes [2]*counted) (skus [2]string) {
	t.Helper()
	eventually(t, func() string {
		for i, n := range nodes {
			if err := n.Ready(); err != nil {
				return err.Error()
			}
			if n.Owns(0) == n.Owns(1) || n.Owns(0) == nodes[1-i].Owns(0) {
				return "the shards are not spread over the replicas"
			}
		}
		return ""
	})
	for i := 0; skus[0] == "" || skus[1] == ""; i++ {
		sku := fmt.Sprintf("sku-%d", i)
		for who, n := range nodes {
			if n.Owns(n.ShardOf(sku)) {
				skus[who] = sku
			}
		}
	}
	return skus
}

// A shard that is stuck accepts commands until its queue is full, from clients and from other replicas. Commands that
// it refuses then leave nothing behind, and those that it accepted are done once it goes on.
func TestAFullQueueIsRefused(t *testing.T) {
	p := newPlatform(t, 2)
	held, goOn := make(chan struct{}), make(chan struct{})
	var arrived sync.Once
	hooks := shard.Hooks{Deliver: func(send func()) { // called by the goroutine that decides
		arrived.Do(func() { close(held) })
		<-goOn
		send()
	}}
	nodes := [2]*counted{p.startCounted(shard.Config{}), p.startCounted(shard.Config{Hooks: hooks})}
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	skus := spread(t, nodes)
	near, far := skus[1], skus[0]
	stock(t, nodes[1].Node, near, 1)
	stock(t, nodes[0].Node, far, 1)
	key := "k"
	for i := 0; nodes[1].ShardOf(orderid.ByKey(orderid.DefaultTenant, key)) != nodes[1].ShardOf(near); i++ {
		key = fmt.Sprintf("k-%d", i)
	}
	cmd, err := decode(command.PlaceOrder, "", key, []byte(orderOf(far+"=1")), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	order := nodes[1].Submit(cmd)
	<-held // its step is about to leave
	waiting := fill(t, nodes[1].Node, near, shard.MaxQueued)
	nodes[1].refusesMore(t, near)
	nodes[0].refusesMore(t, near)
	nodes[1].refusals(t, 4)
	nodes[0].refusals(t, 0) // it only passed on what it was told
	release()
	for _, fut := range append(waiting, order) {
		<-fut.Done()
		ok(t, fut.Result())
	}
	if got := stockOf(t, nodes[0].Node, near).Total.Available; got != 1+shard.MaxQueued {
		t.Errorf("%d available of %d received", got, 1+shard.MaxQueued)
	}
	p.verify()
}

// A replica whose peer reads nothing keeps a bounded number of commands for it, and refuses the others.
func TestAFullQueueToAPeerIsRefused(t *testing.T) {
	p := newPlatform(t, 2)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	nodes := [2]*counted{p.startCounted(shard.Config{}), p.startCounted(shard.Config{Advertise: silent.Addr().String()})}
	far := spread(t, nodes)[1]
	fill(t, nodes[0].Node, far, shard.MaxPeerQueued)
	nodes[0].refusesMore(t, far)
	nodes[0].refusals(t, 2)
	nodes[1].refusals(t, 0)
}
