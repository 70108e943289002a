package stack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/orderid"
)

func TestMain(m *testing.M) {
	engine.RunIfChild()
	os.Exit(m.Run())
}

// shop is the whole platform with ten of A1 in stock and one order of two of them.
type shop struct {
	t     *testing.T
	stack *Stack
	log   *eventlog.Client
	order string
}

const twoOfA1 = `{"customer_id":"c-1","currency":"GBP","lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}]}`

func openShop(t *testing.T) *shop {
	t.Helper()
	stack, err := Start(logtest.Context(t), Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouse: NoClickHouse, Shards: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	log, err := eventlog.Open(eventlog.Config{Seeds: stack.KafkaSeeds(), Embedded: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	s := &shop{t: t, stack: stack, log: log,
		order: orderid.BySKU(orderid.DefaultTenant, "placed", "A1", run.DefaultPartitions)}
	for _, r := range []request{
		{"PUT", "/v1/stock/A1", "registered", `{"description":"Heart"}`, ""},
		{"POST", "/v1/stock/A1/receipts", "received", `{"quantity":10}`, ""},
		{"POST", "/v1/orders", "placed", twoOfA1, ""},
	} {
		if status, body := s.send(r); status >= http.StatusBadRequest {
			t.Fatalf("%s: %d %s", r.path, status, body)
		}
	}
	return s
}

type request struct{ method, path, key, body, ifMatch string }

func (s *shop) send(r request) (status int, body []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(logtest.Context(s.t), r.method, s.stack.URL()+r.path, strings.NewReader(r.body))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	resp, err := (&http.Client{Transport: apitest.Transport(s.t)}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, body
}

// ends are where the topic's partitions end, transaction markers included.
func (s *shop) ends(topic string) string {
	s.t.Helper()
	tps := make([]eventlog.TopicPartition, run.DefaultPartitions)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	ends, err := s.log.EndOffsets(logtest.Context(s.t), tps)
	if err != nil {
		s.t.Fatal(err)
	}
	return eventlog.PositionOf(ends).String()
}

// problem is a refusal as clients read it.
type problem struct {
	Code   string
	Status int
	Errors []struct{ Pointer string }
	Short  []struct {
		SKU       string
		Requested int64
	}
}

func (s *shop) refused(r request) problem {
	s.t.Helper()
	status, body := s.send(r)
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Status != status {
		s.t.Fatalf("%s: %d %s: %v", r.path, status, body, err)
	}
	return p
}

// What is refused leaves nothing in the log: neither what is not understood, nor what the writer refuses by what it
// knows.
func TestRefusalsWriteNoEvent(t *testing.T) {
	s := openShop(t)
	order := "/v1/orders/" + s.order
	orders, stock := s.ends(eventlog.TopicOrders), s.ends(eventlog.TopicInventory)
	for _, test := range []struct {
		name string
		request
		status        int
		code, pointer string
	}{
		{"malformed", request{"POST", "/v1/orders", "new", `{"lines":[`, ""}, 400, "malformed_json", "/lines"},
		{"unknown field", request{"POST", "/v1/orders", "new", `{"colour":"red"}`, ""}, 400, "unknown_field", "/colour"},
		{"wrong type", request{"POST", "/v1/stock/A1/receipts", "new", `{"quantity":"3"}`, ""}, 400, "wrong_type",
			"/quantity"},
		{"no quantity", request{"POST", "/v1/stock/A1/receipts", "new", `{"quantity":0}`, ""}, 400, "invalid_quantity",
			"/quantity"},
		{"no number", request{"POST", "/v1/orders", "new", strings.Replace(twoOfA1, "2.55", "NaN", 1), ""}, 400,
			"invalid_price", "/lines/0/unit_price"},
		{"no currency", request{"POST", "/v1/orders", "new", strings.Replace(twoOfA1, "GBP", "ZZZ", 1), ""}, 400,
			"unknown_currency", "/currency"},
		{"oversized", request{"POST", "/v1/orders", "new", strings.Repeat(" ", 5<<20), ""}, 413, "body_too_large", ""},
		{"another order under a key", request{"POST", "/v1/orders", "placed", strings.Replace(twoOfA1, ":2,", ":3,", 1), ""},
			422, "idempotency_key_reused", ""},
		{"another receipt under a key", request{"POST", "/v1/stock/A1/receipts", "received", `{"quantity":11}`, ""}, 422,
			"idempotency_key_reused", ""},
		{"another command under a key", request{"POST", "/v1/stock/A1/adjustments", "received",
			`{"delta":10,"reason":"other"}`, ""}, 422, "idempotency_key_reused", ""},
		{"stock of an unknown SKU", request{"POST", "/v1/stock/nobody/receipts", "new", `{"quantity":1}`, ""}, 404,
			"unknown_sku", ""},
		{"safety stock of an unknown SKU", request{"PUT", "/v1/stock/nobody/safety-stock", "new", `{"quantity":1}`, ""}, 404,
			"unknown_sku", ""},
		{"an unknown order", request{"POST", "/v1/orders/00000000-0000-5000-8000-000000000000/cancel", "new", `{}`, ""}, 404,
			"order_not_found", ""},
		{"stock at another version", request{"POST", "/v1/stock/A1/counts", "new", `{"counted":1}`, `"99"`}, 412,
			"version_mismatch", ""},
		{"stock at a version that is none", request{"POST", "/v1/stock/A1/counts", "new", `{"counted":1}`, `"mine"`}, 412,
			"version_mismatch", ""},
		{"an order at another version", request{"POST", order + "/cancel", "new", `{}`, `"1"`}, 412, "version_mismatch", ""},
		{"more paid than due", request{"POST", order + "/payments", "new", `{"action":"authorize","amount":"5.11"}`, ""}, 409,
			"over_authorization", "/amount"},
		{"shipped before it is confirmed", request{"POST", order + "/fulfilments", "new", `{}`, ""}, 409,
			"illegal_transition", ""},
		{"more adjusted than is on hand", request{"POST", "/v1/stock/A1/adjustments", "new",
			`{"delta":-11,"reason":"shrinkage"}`, ""}, 409, "negative_on_hand", "/delta"},
		{"more sent away than there is", request{"POST", "/v1/stock/A1/transfers", "new",
			`{"to_location":"north","quantity":11}`, ""}, 409, "insufficient_stock", "/quantity"},
		{"a count of another state", request{"POST", "/v1/stock/A1/counts", "new", `{"counted":9,"counted_at_version":1}`,
			""}, 409, "count_outdated", "/counted_at_version"},
		{"a transfer that nobody knows", request{"POST", "/v1/stock/A1/transfers/t/receipt", "new", `{"quantity":1}`, ""},
			404, "unknown_transfer", "/transfer_id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := s.refused(test.request)
			pointer := ""
			if len(p.Errors) > 0 {
				pointer = p.Errors[0].Pointer
			}
			if p.Status != test.status || p.Code != test.code || pointer != test.pointer {
				t.Errorf("got %d %s at %q, want %d %s at %q", p.Status, p.Code, pointer, test.status, test.code, test.pointer)
			}
			if now := s.ends(eventlog.TopicOrders); now != orders {
				t.Errorf("orders: %s was written, they ended at %s", now, orders)
			}
			if now := s.ends(eventlog.TopicInventory); now != stock {
				t.Errorf("stock: %s was written, it ended at %s", now, stock)
			}
		})
	}
}

// What is read is as the document has it, of an order and an item with a past.
func TestReadsAreAsDocumented(t *testing.T) {
	s := openShop(t)
	order := "/v1/orders/" + s.order
	amend := `{"lines":[{"sku":"A1","quantity":3}],"reason":"called"}`
	for i, r := range []request{
		{"PUT", "/v1/stock/A1/backorder-limit", "", `{"limit":50}`, ""},
		{"PUT", "/v1/stock/A1/incoming", "", `{"quantity":7,"reference":"PO-7"}`, ""},
		{"POST", "/v1/stock/A1/transfers", "", `{"to_location":"north","quantity":2}`, ""},
		{"POST", order + "/payments", "", `{"action":"start","reference":"pi-1"}`, ""},
		{"POST", order + "/payments", "", `{"action":"authorize","amount":"5.10","reference":"pi-1"}`, ""},
		{"POST", order + "/hold", "", `{"reason":"fraud"}`, ""},
		{"POST", order + "/resume", "", `{}`, ""},
		{"POST", order + "/amend", "", amend, ""},
		{"POST", order + "/payments", "", `{"action":"authorize","amount":"2.55"}`, ""},
		{"POST", order + "/cancel-lines", "", `{"lines":[{"sku":"A1","quantity":1}],"reason":"fewer"}`, ""},
		{"POST", order + "/fulfilments", "", `{"action":"create","lines":[{"sku":"A1","quantity":1}]}`, ""},
		{"POST", order + "/fulfilments", "sent",
			`{"lines":[{"sku":"A1","quantity":1}],"tracking_reference":"1Z","capture":true}`, ""},
		{"POST", order + "/fulfilments/" + command.FulfilmentID(s.order, "sent") + "/delivery", "", `{}`, ""},
		{"POST", order + "/returns", "", `{"reason":"too big"}`, ""},
		{"POST", "/v1/orders", "", strings.Replace(twoOfA1, ":2,", ":40,", 1), ""},
		{"POST", "/v1/imports/orders", "",
			`{"reference":"1","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z","lines":[{"sku":"A1","quantity":1,` +
				`"unit_price":"1"}]}`, ""},
	} {
		if r.key == "" {
			r.key = fmt.Sprint("read-", i)
		}
		if status, body := s.send(r); status >= http.StatusBadRequest && status != http.StatusConflict {
			t.Fatalf("%s: %d %s", r.path, status, body)
		}
	}
	for _, path := range []string{order, "/v1/orders?limit=2", "/v1/orders?customer_id=c-1&status=completed",
		"/v1/stock/A1", "/v1/availability/A1", "/v1/stock/none",
		"/v1/availability/none", "/v1/orders/none", "/v1/orders?limit=none", "/v1/orders?cursor=none", "/healthz",
		"/readyz"} {
		s.send(request{"GET", path, "", "", ""})
	}
	s.send(request{"POST", "/v1/availability", "", `{"skus":["A1","none"]}`, ""})
}

// An order with a SKU that nobody knows is refused with its lines, and takes nothing of the others.
func TestAnUnknownSKUReservesNothing(t *testing.T) {
	s := openShop(t)
	body := strings.Replace(twoOfA1, `{"sku":`, `{"sku":"nobody","quantity":3,"unit_price":"1"},{"sku":`, 1)
	for range 2 { // the repeat says the same
		p := s.refused(request{"POST", "/v1/orders", "unknown", body, ""})
		if p.Status != http.StatusConflict || p.Code != "unknown_sku" || len(p.Short) != 1 || p.Short[0].SKU != "nobody" ||
			p.Short[0].Requested != 3 {
			t.Errorf("%+v", p)
		}
	}
	status, placed := s.send(request{"POST", "/v1/orders", "rest", strings.Replace(twoOfA1, ":2,", ":8,", 1), ""})
	if status != http.StatusCreated {
		t.Errorf("the other eight are not to be had: %d %s", status, placed)
	}
}
