package stack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// guarded is a platform whose API asks for keys, and the keys as an operator makes them.
type guarded struct {
	*Stack
	t    *testing.T
	ctx  context.Context
	keys *access.Keys
}

func startGuarded(t *testing.T, clickHouse string) *guarded {
	t.Helper()
	g := &guarded{t: t, ctx: logtest.Context(t)}
	var err error
	g.Stack, err = Start(g.ctx, Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: clickHouse,
		ClickHouseListen: "127.0.0.1:0", Shards: 2, Access: access.ByKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := g.Log()
	cfg.ClientID = "operator"
	if g.keys, err = access.Open(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(g.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = g.keys.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if err := g.keys.AwaitReady(g.ctx); err != nil {
		t.Fatal(err)
	}
	return g
}

// key makes a key, and waits until the API takes it.
func (g *guarded) key(name string, scopes access.Scopes) (text, id string) {
	g.t.Helper()
	text, key, err := g.keys.Create(g.ctx, access.NewKey{Name: name, Scopes: scopes})
	if err != nil {
		g.t.Fatal(err)
	}
	g.await(text, true)
	return text, key.ID
}

// await waits until the API takes a key, or refuses it.
func (g *guarded) await(key string, taken bool) {
	g.t.Helper()
	for {
		if status, _ := g.ask(http.MethodGet, "/v1/keys", "", "", key); (status != http.StatusUnauthorized) == taken {
			return
		}
		if g.ctx.Err() != nil {
			g.t.Fatalf("a key is never taken, or refused: want taken %v", taken)
		}
	}
}

// ask sends a request with a key; "": without one.
func (g *guarded) ask(method, path, mediaType, body, key string) (status int, answer string) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.ctx, method, g.URL()+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", "k-1")
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if faults := apitest.Open(g.t).Check(request, []byte(body), response, text); faults != "" {
		g.t.Errorf("%s %s: %d is not as schemas/openapi.yaml has it:\n%s%s", method, path, response.StatusCode, faults, text)
	}
	return response.StatusCode, string(text)
}

// ends are where the topics end that have what cannot be built again.
func (g *guarded) ends() string {
	g.t.Helper()
	log, err := eventlog.Open(g.Log())
	if err != nil {
		g.t.Fatal(err)
	}
	defer log.Close()
	tps := append(g.Layout().AllPartitions(), eventlog.TopicPartition{Topic: eventlog.TopicKeys})
	ends, err := log.EndOffsets(g.ctx, tps)
	if err != nil {
		g.t.Fatal(err)
	}
	return fmt.Sprint(ends)
}

// decisions are those about insights. The platform takes some by itself when it starts.
func (g *guarded) decisions() (all string) {
	g.t.Helper()
	log, err := eventlog.Open(g.Log())
	if err != nil {
		g.t.Fatal(err)
	}
	defer log.Close()
	decisions, err := log.ReadDecisions(g.ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, decision := range decisions {
		all += string(decision) + "\n"
	}
	return all
}

// Every operation of the document is refused without a key, with a wrong one, and with one that may do everything but
// this; and nothing changes by that. With the scope that it needs and no other, the key is no reason to refuse it.
func TestEveryOperationAsksForItsScope(t *testing.T) {
	g := startGuarded(t, EmbeddedClickHouse)
	const uuid = "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"
	fill := strings.NewReplacer("{order_id}", uuid, "{sku}", "A1", "{fulfilment_id}", "f", "{return_id}", "r",
		"{transfer_id}", "t", "{name}", "revenue", "{replay_id}", uuid, "{key_id}", "nokey")
	without, only := map[string]string{}, map[string]string{} // by need
	for _, name := range access.Operations() {
		method, path, _ := strings.Cut(name, " ")
		need, _ := access.NeedOf(method, path)
		if !need.IsNothing() && without[need.String()] == "" {
			least := need.Scopes()
			if len(need) == 1 {
				least &= -least // one of several that it needs
			}
			without[need.String()], _ = g.key("all but one", access.AllScopes&^least)
			only[need.String()], _ = g.key("one", need[0])
		}
	}
	revoked, id := g.key("revoked", access.AllScopes)
	if _, err := g.keys.Revoke(g.ctx, id, access.Principal{}); err != nil {
		t.Fatal(err)
	}
	g.await(revoked, false)
	operations := apitest.Open(t).Operations()
	before, bodies := g.ends(), map[string]bool{}
	for _, op := range operations {
		method, path, body := op.Method, fill.Replace(op.Path), ""
		need, _ := access.NeedOf(op.Method, op.Path)
		for _, body = range op.Examples { // one of them
		}
		if need.IsNothing() {
			if status, answer := g.ask(method, path, "", "", ""); status != http.StatusOK {
				t.Errorf("%s: %d %s", op.ID, status, answer)
			}
			continue
		}
		for _, key := range []string{"", "wrong", revoked} {
			status, answer := g.ask(method, path, op.MediaType, body, key)
			bodies[strings.Replace(answer, path, "", 1)] = true
			if status != http.StatusUnauthorized {
				t.Errorf("%s with the key %q: %d %s", op.ID, key, status, answer)
			}
		}
		status, answer := g.ask(method, path, op.MediaType, body, without[need.String()])
		if status != http.StatusForbidden || !strings.Contains(answer, `"scopes":["`+op.Scopes[0][0]+`"`) {
			t.Errorf("%s with all scopes but %v: %d %s", op.ID, need, status, answer)
		}
	}
	if after := g.ends(); after != before {
		t.Errorf("refused requests changed something: the topics end at\n%s\nand ended at\n%s", after, before)
	}
	if decisions := g.decisions(); strings.Contains(decisions, "all but one") || strings.Contains(decisions, "anonymous") {
		t.Errorf("refused requests decided about insights:\n%s", decisions)
	}
	if len(bodies) != 1 {
		t.Errorf("refusals differ: %v", bodies)
	}
	for _, op := range operations {
		need, _ := access.NeedOf(op.Method, op.Path)
		if need.IsNothing() {
			continue
		}
		path := fill.Replace(op.Path)
		if strings.HasSuffix(path, "/stream") {
			path += "?after=" // is refused: a stream that is opened has no end
		}
		status, answer := g.ask(op.Method, path, "", "", only[need.String()])
		if status == http.StatusUnauthorized || status == http.StatusForbidden || strings.Contains(answer, `"not_found"`) {
			t.Errorf("%s with %v alone: %d %s", op.ID, need, status, answer)
		}
	}
}

// Each line of a stream needs the scope of its command, and the key must be valid still: a stream may go on for hours.
func TestEachLineOfAStreamNeedsItsScope(t *testing.T) {
	g := startGuarded(t, NoClickHouse)
	key, id := g.key("warehouse", access.StockWrite)
	lines, write := io.Pipe()
	request, err := http.NewRequestWithContext(g.ctx, http.MethodPost, g.URL()+"/v1/commands", lines)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", "Bearer "+key)
	answering := make(chan *http.Response, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
		}
		answering <- response
	}()
	say := func(line string) { fmt.Fprintln(write, line) }
	say(`{"id":"1","type":"register_item","sku":"A1","body":{"description":"Heart"}}`)
	response := <-answering
	defer response.Body.Close()
	results := bufio.NewScanner(response.Body)
	hear := func(wants ...string) {
		t.Helper()
		if !results.Scan() {
			t.Fatal("the stream has ended: ", results.Err())
		}
		for _, want := range wants {
			if !strings.Contains(results.Text(), want) {
				t.Errorf("%s lacks %s", results.Text(), want)
			}
		}
	}
	hear(`"id":"1","status":200`)
	say(`{"id":"2","type":"place_order","body":{"customer_id":"c","currency":"GBP","lines":[{"sku":"A1","quantity":1,` +
		`"unit_price":"1"}]}}`)
	hear(`"id":"2","status":403`, `"code":"insufficient_scope"`, `"scopes":["orders:write"]`)
	say(`{"id":"3","type":"receive_stock","sku":"A1","body":{"quantity":5}}`)
	hear(`"id":"3","status":201`)
	if _, err := g.keys.Revoke(g.ctx, id, access.Principal{}); err != nil {
		t.Fatal(err)
	}
	g.await(key, false)
	say(`{"id":"4","type":"receive_stock","sku":"A1","body":{"quantity":5}}`)
	hear(`"id":"4","status":401`, `"code":"unauthenticated"`)
	write.Close()
	reader, _ := g.key("reader", access.StockRead|access.OrdersRead)
	row, err := client.New(g.URL(), client.WithAPIKey(reader)).Availability(g.ctx, "A1", client.After(positionOf(t, g)))
	if err != nil || row.Value.Available != 5 {
		t.Errorf("%+v, %v", row, err)
	}
}

// Streams of a platform without stock and orders begin, and end with their key.
func TestStreamsEndWithTheirKey(t *testing.T) {
	g := startGuarded(t, NoClickHouse)
	key, id := g.key("shop", access.StockRead|access.OrdersRead)
	waits := make(chan int, 1)
	lines := map[string]*bufio.Scanner{}
	open := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(g.ctx, http.MethodGet, g.URL()+path, nil)
		if err != nil {
			t.Error(err)
			return nil
		}
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	await := func(path, line string) {
		t.Helper()
		for lines[path].Scan() {
			if strings.HasPrefix(lines[path].Text(), line) {
				return
			}
		}
		t.Errorf("%s ended without %s", path, line)
	}
	paths := []string{"/v1/availability/stream", "/v1/availability/stream?after=o0.1", "/v1/orders/stream"}
	for _, path := range paths {
		response := open(path)
		if response == nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", path, response)
		}
		lines[path] = bufio.NewScanner(response.Body)
		await(path, "id: start")
	}
	go func() {
		if response := open("/v1/events?wait=5"); response != nil {
			waits <- response.StatusCode
			return
		}
		waits <- 0
	}()
	if _, err := g.keys.Revoke(g.ctx, id, access.Principal{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		await(path, `data: {"code":"unauthenticated"`)
	}
	if status := <-waits; status != http.StatusUnauthorized {
		t.Errorf("what waited for an event: %d", status)
	}
}

// positionOf is that of all that stands in the log.
func positionOf(t *testing.T, g *guarded) string {
	t.Helper()
	log, err := eventlog.Open(g.Log())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ends, err := log.StableOffsets(g.ctx, g.Layout().AllPartitions())
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.PositionOf(ends).String()
}

// A key makes, lists and revokes others by the API. It gives no scope that it lacks, and a request makes one key.
func TestKeysAreMadeByTheAPI(t *testing.T) {
	g := startGuarded(t, NoClickHouse)
	text, own := g.key("admin", access.KeysAdmin|access.OrdersRead)
	admin := client.New(g.URL(), client.WithAPIKey(text))
	shopKey := client.NewKey{Name: "shop", Scopes: []client.Scope{client.ScopeOrdersRead}}
	made, err := admin.As("mallory").CreateKey(g.ctx, shopKey, client.Key("k-1"))
	if err != nil || made.Status != http.StatusCreated || made.Value.Key == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	// Who made it is the key that asked, whatever the client says.
	if by := made.Value.CreatedBy; by.Name != "admin" || !by.Verified || by.KeyID != own {
		t.Errorf("made by %+v, want the key %s", by, own)
	}
	shop := client.New(g.URL(), client.WithAPIKey(made.Value.Key))
	if _, err := shop.Orders(g.ctx, client.OrderFilter{}); err != nil {
		t.Errorf("the new key: %v", err)
	}
	for code, request := range map[string]struct {
		key  string
		body client.NewKey
	}{
		"api_key_exists":     {"k-1", client.NewKey{Name: "shop", Scopes: []client.Scope{client.ScopeOrdersRead}}},
		"insufficient_scope": {"k-2", client.NewKey{Name: "shop", Scopes: []client.Scope{client.ScopeStockWrite}}},
		"invalid_api_key":    {"k-3", client.NewKey{Name: "shop", Scopes: []client.Scope{"moon:land"}}},
		"missing_field":      {"k-4", client.NewKey{Scopes: []client.Scope{}}},
	} {
		if _, err := admin.CreateKey(g.ctx, request.body, client.Key(request.key)); codeOf(err) != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if err := admin.RevokeKey(g.ctx, made.Value.KeyID); err != nil {
		t.Fatal(err)
	}
	if err := admin.RevokeKey(g.ctx, made.Value.KeyID); err != nil { // it is revoked still
		t.Error(err)
	}
	if err := admin.RevokeKey(g.ctx, "nokey"); codeOf(err) != "unknown_api_key" {
		t.Error(err)
	}
	if _, err := shop.Orders(g.ctx, client.OrderFilter{}); codeOf(err) != "unauthenticated" {
		t.Errorf("the revoked key: %v", err)
	}
	list, err := admin.Keys(g.ctx)
	if err != nil || len(list.Value.Items) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, want := range []string{own + " active", made.Value.KeyID + " revoked"} {
		if key := list.Value.Items[i]; key.KeyID+" "+string(key.Status) != want || key.Key != "" {
			t.Errorf("%+v, want %s", key, want)
		}
	}
}

// While access is off, nobody makes a key by the API: it would be good once access is on.
func TestWithoutAccessNobodyMakesKeys(t *testing.T) {
	stack, err := Start(logtest.Context(t), Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: NoClickHouse,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stack.Close() })
	api := client.New(stack.URL())
	_, made := api.CreateKey(t.Context(), client.NewKey{Name: "shop", Scopes: []client.Scope{client.ScopeKeysAdmin}})
	_, listed := api.Keys(t.Context())
	for what, err := range map[string]error{"make": made, "list": listed, "revoke": api.RevokeKey(t.Context(), "k")} {
		if codeOf(err) != "access_off" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func codeOf(err error) string {
	if p, ok := err.(*client.Problem); ok {
		return p.Code
	}
	return fmt.Sprint(err)
}
