package commands

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The routes, and the types of a line of bulk, are those of schemas/openapi.yaml, no more and no fewer.
func TestRoutesAreThoseOfTheSpecification(t *testing.T) {
	document := apitest.Open(t)
	var specified []string
	for _, op := range document.Operations() {
		if op.IsCommand() {
			specified = append(specified, op.Method+" "+op.Path)
		}
	}
	slices.Sort(specified)
	routes := apitest.Routes(func(r httpapi.Router) { Register(r, Deps{}) })
	if !slices.Equal(routes, specified) {
		t.Errorf("routes\n got %v\nwant %v", routes, specified)
	}
	var types []string
	for _, c := range command.All() {
		types = append(types, c.Type)
	}
	slices.Sort(types)
	if want := slices.Sorted(slices.Values(document.Enum("CommandType"))); !slices.Equal(types, want) {
		t.Errorf("commands\n got %v\nwant %v", types, want)
	}
}

func TestPlaceOrderAnswers(t *testing.T) {
	s := newSite(t, &desk{})
	r := s.Do(t, http.MethodPost, "/v1/orders", goodOrder)
	id := orderid.ByKey(orderid.DefaultTenant, "k-1")
	want := `{"order_id":"` + id + `","version":2,"status":"reserved","payment_status":"pending",` +
		`"fulfilment_status":"unfulfilled","return_status":"none","currency":"GBP","total":"5.10"}` + "\n"
	if r.Status != http.StatusCreated || r.Body != want {
		t.Errorf("got %d %s, want 201 %s", r.Status, r.Body, want)
	}
	if r.Header.Get("Etag") != `"2"` || r.Header.Get("Location") != "/v1/orders/"+id {
		t.Errorf("headers %v", r.Header)
	}
}

func TestSKUsInPathsAreDecodedOnce(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	for path, want := range map[string]string{
		"BANK%20CHARGES": "BANK CHARGES", "A%2F1": "A/1", "50%25": "50%", "50%2525": "50%25", "%C3%A9": "é", "a+b": "a+b",
	} {
		d.commands = nil
		if r := s.Do(t, http.MethodPut, "/v1/stock/"+path, `{}`); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
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
			r := s.Do(t, http.MethodPost, "/v1/orders", goodOrder, "Prefer: "+test.prefer)
			if r.Status != test.status {
				t.Errorf("got %d %s, want %d", r.Status, r.Body, test.status)
			}
			if r.Status == http.StatusAccepted && !strings.HasPrefix(r.Header.Get("Location"), "/v1/orders/") {
				t.Errorf("no Location: %v", r.Header)
			}
			if r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestIfMatchReachesTheCommand(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	s.Do(t, http.MethodPost, "/v1/stock/A1/counts", `{"counted":1}`, `If-Match: "7"`)
	s.Do(t, http.MethodPost, "/v1/stock/A1/counts", `{"counted":1}`, `If-Match: *`)
	got := d.taken()
	if len(got) != 2 || got[0].ExpectedVersion == nil || *got[0].ExpectedVersion != 7 || got[1].ExpectedVersion != nil {
		t.Errorf("commands %+v", got)
	}
}

// Who asks reaches the command as the client says it, and is no part of what the key stands for.
func TestTheActorReachesTheCommand(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	longest := strings.Repeat("\U0001d11e", limits.MaxActorLength)
	for _, actor := range []string{"zoë@shop.example", longest, "packing station 4"} {
		s.Do(t, http.MethodPost, "/v1/orders", goodOrder, "Holdfast-Actor: "+actor)
		s.Do(t, http.MethodPut, "/v1/stock/A1", `{}`, "Idempotency-Key: ", "Holdfast-Actor: "+actor)
	}
	s.Do(t, http.MethodPost, "/v1/orders", goodOrder)
	got := d.taken()
	for i, want := range []string{
		"zoë@shop.example", "zoë@shop.example", longest, longest, "packing station 4", "packing station 4", "",
	} {
		if i >= len(got) || got[i].Principal != (shard.Principal{Name: want}) {
			t.Errorf("command %d of %d is not asked for by %q", i, len(got), want)
		}
	}
	if got[0].Fingerprint != got[2].Fingerprint || got[0].Fingerprint != got[6].Fingerprint {
		t.Error("the fingerprint depends on who asks")
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
		"insufficient_stock": {orders, goodOrder, shard.Result{Code: problem.InsufficientStock,
			Detail: "Not enough of 1 SKU.", Short: short, Order: &shard.OrderSummary{ID: someOrder, Number: 15}}, 409},
		"unknown_sku_order": {orders, goodOrder, shard.Result{Code: problem.UnknownSKU,
			Short: []order.ShortLine{{SKU: "A1", Requested: 2, Reason: int32(inventory.UnknownSKU)}}}, 409},
		"unknown_sku_stock": {stock, `{"quantity":1}`, shard.Result{Code: problem.UnknownSKU}, 404},
		"key_reused": {orders, goodOrder, shard.Result{Code: problem.KeyReused,
			Detail: "The key k-1 placed another order."}, 422},
		"version_mismatch": {stock, `{"quantity":1}`, shard.Result{Code: problem.VersionMismatch, Version: 9}, 412},
		"count_outdated": {
			"/v1/stock/A1/counts", `{"counted":1,"counted_at_version":4}`,
			shard.Result{Code: inventory.CodeCountOutdated, Detail: "the location has 0 on hand since version 7: count again",
				Pointer: "/counted_at_version", Version: 9, OnHand: new(int64)}, 409,
		},
		"too_many_requests": {orders, goodOrder, shard.Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1}, 429},
		"illegal_transition": {
			"/v1/orders/" + someOrder + "/confirm", `{}`,
			shard.Result{Code: order.CodeIllegalTransition, Detail: "an order that is placed does not take confirm",
				Status: "placed", Allowed: []string{"cancel"}}, 409,
		},
		"total_mismatch": {orders, goodOrder, shard.Result{Code: order.CodeTotalMismatch,
			Detail: "charges add up to 4.90, and 5.90 is 1.00 too much", Pointer: "/charge_total"}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, &desk{decide: func(_ *shard.Command, f *handFuture) { f.finish(test.result) }})
			r := s.Do(t, http.MethodPost, test.path, test.body)
			if r.Status != test.status {
				t.Errorf("status %d, want %d", r.Status, test.status)
			}
			if test.result.Version == 9 && r.Header.Get("Etag") != `"9"` {
				t.Errorf("no ETag: %v", r.Header)
			}
			golden(t, filepath.Join("testdata", "problems", name+".json"), r.Body)
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
	r := s.Do(t, http.MethodPost, "/v1/orders", goodOrder)
	if p := r.Problem(t); r.Status != 500 || p.Code != "internal" || strings.Contains(r.Body, "secret") {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	s.Do(t, http.MethodGet, "/made/up/path", "")
	want := `
# HELP holdfast_http_requests_total HTTP requests answered, by method and route, and status; broken_off: without an end.
# TYPE holdfast_http_requests_total counter
holdfast_http_requests_total{route="POST /v1/orders",status="500"} 1
holdfast_http_requests_total{route="unmatched",status="404"} 1
`
	if err := testutil.GatherAndCompare(s.Registry, strings.NewReader(want), "holdfast_http_requests_total"); err != nil {
		t.Error(err)
	}
}

// A UUID is the same in either case (RFC 9562): the command is on the order whose ID is in lower case.
func TestOrderIDsAreReadInEitherCase(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	r := s.Do(t, http.MethodPost, "/v1/orders/"+strings.ToUpper(someOrder)+"/confirm", `{}`)
	if r.Status != http.StatusOK || d.taken()[0].ID != someOrder {
		t.Errorf("%d %s %+v", r.Status, r.Body, d.taken())
	}
}

// Items that were registered before . and .. and C1 controls were refused are still served.
func TestCommandsReachItemsWithOlderNames(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	s.Unchecked = true
	for _, sku := range []string{"%2E", "a%C2%86"} {
		if r := s.Do(t, http.MethodPost, "/v1/stock/"+sku+"/receipts", `{"quantity":1}`); r.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", sku, r.Status, r.Body)
		}
	}
}
