package httpapi

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The routes are those of schemas/openapi.yaml, no more and no fewer.
func TestRoutesAreThoseOfTheSpecification(t *testing.T) {
	specified := echo.New()
	for _, o := range apitest.Open(t).Operations() {
		// OpenAPI writes a path's parameter as {sku}, echo as :sku.
		specified.Add(o.Method, strings.NewReplacer("{", ":", "}", "").Replace(o.Path), nil)
	}
	server, err := NewServer(Config{Gatherer: noMetrics{}})
	if err != nil {
		t.Fatal(err)
	}
	RegisterCommands(server.Router(), CommandDeps{})
	RegisterQueries(server.Router(), QueryDeps{Availability: &shelf{}, Orders: &shelf{}, Reports: &ledger{}})
	if got, want := routesOf(server.echo), routesOf(specified); !slices.Equal(got, want) {
		t.Errorf("routes\n got %v\nwant %v", got, want)
	}
}

func routesOf(e *echo.Echo) []string {
	var routes []string
	for _, r := range e.Routes() {
		routes = append(routes, r.Method+" "+r.Path)
	}
	slices.Sort(routes)
	return routes
}

func TestPlaceOrderAnswers(t *testing.T) {
	s := newSite(t, &desk{})
	r := s.do(t, http.MethodPost, "/v1/orders", goodOrder)
	id := command.OrderID(command.DefaultTenant, "k-1")
	want := `{"order_id":"` + id + `","version":2,"status":"reserved","payment_status":"pending",` +
		`"fulfilment_status":"unfulfilled","return_status":"none","currency":"GBP","total":"5.10"}`
	if r.status != http.StatusCreated || r.body != want {
		t.Errorf("got %d %s, want 201 %s", r.status, r.body, want)
	}
	if r.header.Get("Etag") != `"2"` || r.header.Get("Location") != "/v1/orders/"+id {
		t.Errorf("headers %v", r.header)
	}
}

func TestSKUsInPathsAreDecodedOnce(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	for path, want := range map[string]string{
		"BANK%20CHARGES": "BANK CHARGES", "A%2F1": "A/1", "50%25": "50%", "50%2525": "50%25", "%C3%A9": "é", "a+b": "a+b",
	} {
		d.commands = nil
		if r := s.do(t, http.MethodPut, "/v1/stock/"+path, `{}`); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.body)
			continue
		}
		if got := d.taken()[0].ID; got != want {
			t.Errorf("%s became %q, want %q", path, got, want)
		}
	}
}

func TestWaitsAsPreferred(t *testing.T) {
	accepted := func(cmd *shard.Command, f *handFuture) {
		r := success(cmd)
		r.Order.Status = "placed"
		f.accept(r)
	}
	nothing := func(*shard.Command, *handFuture) {}
	for _, test := range []struct {
		name, prefer string
		decide       func(*shard.Command, *handFuture)
		status       int
	}{
		{"durable, outcome open", "wait=1", accepted, http.StatusAccepted},
		{"durable, asynchronous", "respond-async", accepted, http.StatusAccepted},
		{"durable, no wait", "wait=0", accepted, http.StatusAccepted},
		{"nothing known", "wait=1", nothing, http.StatusServiceUnavailable},
		{"done, asynchronous", "respond-async", nil, http.StatusCreated},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, &desk{decide: test.decide})
			r := s.do(t, http.MethodPost, "/v1/orders", goodOrder, "Prefer: "+test.prefer)
			if r.status != test.status {
				t.Errorf("got %d %s, want %d", r.status, r.body, test.status)
			}
			if r.status == http.StatusAccepted && !strings.HasPrefix(r.header.Get("Location"), "/v1/orders/") {
				t.Errorf("no Location: %v", r.header)
			}
			if r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestIfMatchReachesTheCommand(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	s.do(t, http.MethodPost, "/v1/stock/A1/counts", `{"counted":1}`, `If-Match: "7"`)
	s.do(t, http.MethodPost, "/v1/stock/A1/counts", `{"counted":1}`, `If-Match: *`)
	got := d.taken()
	if len(got) != 2 || got[0].ExpectedVersion == nil || *got[0].ExpectedVersion != 7 || got[1].ExpectedVersion != nil {
		t.Errorf("commands %+v", got)
	}
}

// Problem bodies are read by people and programs: each is kept as a golden file.
func TestProblemBodies(t *testing.T) {
	short := []order.ShortLine{
		{SKU: "A1", Requested: 5, Available: 2, Reason: int32(inventory.InsufficientStock)},
		{SKU: "A2", Requested: 1, Reason: int32(inventory.OtherLine)},
	}
	orders, stock := "/v1/orders", "/v1/stock/A1/receipts"
	for name, test := range map[string]struct {
		path, body string
		result     shard.Result
		status     int
	}{
		"insufficient_stock": {orders, goodOrder, shard.Result{Code: shard.CodeInsufficient, Detail: "Not enough of 1 SKU.", Short: short}, 409},
		"unknown_sku_order":  {orders, goodOrder, shard.Result{Code: shard.CodeUnknownSKU, Short: []order.ShortLine{{SKU: "A1", Requested: 2, Reason: int32(inventory.UnknownSKU)}}}, 409},
		"unknown_sku_stock":  {stock, `{"quantity":1}`, shard.Result{Code: shard.CodeUnknownSKU}, 404},
		"key_reused":         {orders, goodOrder, shard.Result{Code: shard.CodeKeyReused, Detail: "The key k-1 placed another order."}, 422},
		"version_mismatch":   {stock, `{"quantity":1}`, shard.Result{Code: shard.CodeVersionMismatch, Version: 9}, 412},
		"count_outdated": {
			"/v1/stock/A1/counts", `{"counted":1,"counted_at_version":4}`,
			shard.Result{Code: inventory.CodeCountOutdated, Detail: "the location has 0 on hand since version 7: count again", Pointer: "/counted_at_version", Version: 9, OnHand: new(int64)}, 409,
		},
		"too_many_requests": {orders, goodOrder, shard.Result{Code: shard.CodeTooManyRequests, RetryAfterSeconds: 1}, 429},
		"illegal_transition": {
			"/v1/orders/" + someOrder + "/confirm", `{}`,
			shard.Result{Code: order.CodeIllegalTransition, Detail: "an order that is placed does not take confirm", Status: "placed", Allowed: []string{"cancel"}}, 409,
		},
		"total_mismatch": {orders, goodOrder, shard.Result{Code: order.CodeTotalMismatch, Detail: "the lines add up to another total", Pointer: "/total"}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, &desk{decide: func(_ *shard.Command, f *handFuture) { f.finish(test.result) }})
			r := s.do(t, http.MethodPost, test.path, test.body)
			if r.status != test.status {
				t.Errorf("status %d, want %d", r.status, test.status)
			}
			if test.result.Version == 9 && r.header.Get("Etag") != `"9"` {
				t.Errorf("no ETag: %v", r.header)
			}
			golden(t, filepath.Join("testdata", "problems", name+".json"), r.body+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", file, got, want)
	}
}

func TestPanicsAndPathsDoNotLeak(t *testing.T) {
	s := newSite(t, &desk{decide: func(*shard.Command, *handFuture) { panic("secret") }})
	r := s.do(t, http.MethodPost, "/v1/orders", goodOrder)
	if p := r.problem(t); r.status != 500 || p.Code != "internal" || strings.Contains(r.body, "secret") {
		t.Errorf("got %d %s", r.status, r.body)
	}
	s.do(t, http.MethodGet, "/made/up/path", "")
	want := `
# HELP holdfast_http_requests_total HTTP requests answered, by method and route, and status.
# TYPE holdfast_http_requests_total counter
holdfast_http_requests_total{route="POST /v1/orders",status="500"} 1
holdfast_http_requests_total{route="unmatched",status="404"} 1
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "holdfast_http_requests_total"); err != nil {
		t.Error(err)
	}
}
