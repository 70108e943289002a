package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// snapshot is what the platform answered at a moment.
type snapshot struct {
	position string // of the item, or the order
	after    time.Time
	path     string
	body     string
}

// What is answered for a moment of the past is, byte for byte, what was answered then, also after a kill. The moments
// are those after random commands, as positions and as times.
func TestThePastIsWhatWasAnsweredThen(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, dir, "--shards", "1")
	random := rand.New(rand.NewPCG(7, 7))
	skus, orders := []string{"A1", "A2", "A3"}, []string{}
	for _, sku := range skus {
		p.send(t, http.MethodPut, "/v1/stock/"+sku, `{"description":"a `+sku+`"}`)
		p.send(t, http.MethodPut, "/v1/stock/"+sku+"/backorder-limit", `{"limit":20}`)
	}
	var taken []snapshot
	for n := range 100 {
		sku := skus[random.IntN(len(skus))]
		key := fmt.Sprintf("Idempotency-Key: k-%d", n)
		var response *http.Response
		var body string
		switch random.IntN(6) {
		case 0, 1:
			response, body = p.send(t, http.MethodPost, "/v1/stock/"+sku+"/receipts", fmt.Sprintf(
				`{"quantity":%d,"location":%q}`, 1+random.IntN(9), []string{"north", "south"}[random.IntN(2)]), key)
		case 2:
			response, body = p.send(t, http.MethodPut, "/v1/stock/"+sku+"/incoming", fmt.Sprintf(
				`{"quantity":%d,"location":"north","reference":"PO-%d"}`, 1+random.IntN(9), random.IntN(3)), key)
		case 3, 4:
			response, body = p.send(t, http.MethodPost, "/v1/orders", fmt.Sprintf(
				`{"customer_id":"c-1","currency":"GBP","lines":[{"sku":%q,"quantity":%d,"unit_price":"2.50"}]}`, sku,
				1+random.IntN(3)), key)
			var placed struct {
				ID string `json:"order_id"`
			}
			if json.Unmarshal([]byte(body), &placed) == nil && placed.ID != "" {
				orders = append(orders, placed.ID)
			}
		case 5:
			if len(orders) == 0 {
				continue
			}
			response, body = p.send(t, http.MethodPost, "/v1/orders/"+orders[random.IntN(len(orders))]+"/cancel",
				`{"reason":"customer"}`, key)
		}
		if response.StatusCode >= 400 && response.StatusCode != http.StatusConflict {
			t.Fatalf("command %d: %s %s", n, response.Status, body)
		}
		taken = append(taken, p.snapshots(t, response.Header.Get("Holdfast-Position"), sku, orders)...)
	}
	if len(taken) < 200 {
		t.Fatalf("%d snapshots: too few", len(taken))
	}
	p.holds(t, taken)
	if _, err := p.end(t, syscall.SIGKILL); err == nil {
		t.Error("it ended by itself")
	}
	p = dev(t, binary, dir, "--shards", "1")
	p.holds(t, taken)
	if _, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// snapshots are what is answered after a command: the item with what is under way, its availability, and an order.
func (p *platform) snapshots(t *testing.T, position, sku string, orders []string) (taken []snapshot) {
	t.Helper()
	paths := []string{"/v1/stock/" + sku, "/v1/availability/" + sku}
	if len(orders) > 0 {
		order := "/v1/orders/" + orders[len(orders)-1]
		paths = append(paths, order, order+"/allocations")
	}
	for _, path := range paths {
		header := "Holdfast-Min-Position: " + position
		if position == "" {
			header = "Accept: application/json"
		}
		response, body := p.send(t, http.MethodGet, path, "", header)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s", path, response.Status, body)
		}
		// Nothing is under way: what the view has reached is all of the log.
		reached := response.Header.Get("Holdfast-Position")
		taken = append(taken, snapshot{reached, time.Now(), path, body})
	}
	return taken
}

// holds compares what is answered for the moments of snapshots with what was answered then.
func (p *platform) holds(t *testing.T, taken []snapshot) {
	t.Helper()
	for _, s := range taken {
		for _, moment := range []string{s.position, s.after.UTC().Format(time.RFC3339Nano)} {
			response, body := p.send(t, http.MethodGet, s.path+"?as_of="+url.QueryEscape(moment), "")
			if response.StatusCode != http.StatusOK || body != s.body {
				t.Fatalf("%s as of %s: %s\n%s\nand then it was\n%s", s.path, moment, response.Status, body, s.body)
			}
		}
	}
}

// The command line tells the story of an item, what differs, and what was.
func TestTheStoryOfAnItem(t *testing.T) {
	binary := build(t)
	p := dev(t, binary, t.TempDir(), "--shards", "1")
	p.send(t, http.MethodPut, "/v1/stock/A1", `{"description":"Heart"}`)
	p.send(t, http.MethodPost, "/v1/stock/A1/receipts", `{"quantity":10,"location":"north","reference":"PO-17"}`,
		"Idempotency-Key: r-1", "Holdfast-Actor: alice@shop.example")
	booked, _ := p.send(t, http.MethodPost, "/v1/stock/A1/receipts",
		`{"quantity":5,"location":"south","occurred_at":"2026-01-05T10:00:00Z"}`, "Idempotency-Key: r-2")
	after := booked.Header.Get("Holdfast-Position")
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"stock", "why", "A1", "--after", after}, []string{
			"stock received", "+10 available, +10 on hand", "reference PO-17 by alice@shop.example (unverified)",
			"occurred 2026-01-05T10:00:00Z",
		}},
		{[]string{"stock", "why", "A1", "--location", "south", "--limit", "1"}, []string{
			"older events: --cursor ", "+5 available",
		}},
		{[]string{"stock", "get", "A1", "--as-of", "2026-01-05T12:00:00Z", "--clock", "occurred"}, []string{"south", "all"}},
		{[]string{"stock", "diff", "--from", "2026-01-01T00:00:00Z"}, []string{"A1", "0 → 15", "+10 available, +10 on hand"}},
		{[]string{"stock", "diff", "A1", "--from", after}, []string{"Nothing differs."}},
		{[]string{"stock", "list", "--below", "20"}, []string{"A1", "north 10, south 5"}},
		{[]string{"stock", "list", "--csv", "--location", "north"}, []string{"A1,Heart,north,10,10,"}},
	} {
		out, err := p.cli(t, binary, test.args...)
		for _, want := range test.want {
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("holdfast %s: %v, and no %q in\n%s", strings.Join(test.args, " "), err, want, out)
			}
		}
	}
	for _, test := range [][]string{
		{"stock", "get", "A1", "--as-of", "2025-01-05T12:00:00Z", "unknown_sku"},
		{"stock", "show", "A1", "--clock", "occurred", "--clock occurred needs --as-of"},
		{"order", "get", "15", "--clock", "wall", "--clock must be recorded or occurred"},
		{"stock", "why", "A2", "unknown_sku"},
		{"stock", "diff", "--from", "yesterday", "from is no moment"},
	} {
		out, err := p.cli(t, binary, test[:len(test)-1]...)
		if want := test[len(test)-1]; err == nil || !strings.Contains(out, want) {
			t.Errorf("holdfast %s: %v, and no %q in\n%s", strings.Join(test, " "), err, want, out)
		}
	}
	if _, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// Where an order's goods are, and from where they left, follows what becomes of them, and is answered for the past.
func TestAnOrderSaysWhereItsGoodsAre(t *testing.T) {
	binary := build(t)
	p := dev(t, binary, t.TempDir(), "--shards", "1")
	do := func(method, path, body, key string) (position string) {
		t.Helper()
		response, answer := p.send(t, method, path, body, "Idempotency-Key: "+key)
		if response.StatusCode >= 300 {
			t.Fatalf("%s %s: %s %s", method, path, response.Status, answer)
		}
		return response.Header.Get("Holdfast-Position")
	}
	do(http.MethodPut, "/v1/stock/A1", `{}`, "r-0")
	do(http.MethodPost, "/v1/stock/A1/receipts", `{"quantity":10,"location":"north"}`, "r-1")
	do(http.MethodPost, "/v1/stock/A1/receipts", `{"quantity":5,"location":"south"}`, "r-2")
	_, placed := p.send(t, http.MethodPost, "/v1/orders", `{"customer_id":"c-1","currency":"GBP",
		"payment_terms":"on_account","lines":[{"sku":"A1","quantity":12,"unit_price":"2.50"}]}`, "Idempotency-Key: o-1")
	var order struct {
		ID string `json:"order_id"`
	}
	if err := json.Unmarshal([]byte(placed), &order); err != nil || order.ID == "" {
		t.Fatalf("%v in %s", err, placed)
	}
	shipped := do(http.MethodPost, "/v1/orders/"+order.ID+"/fulfilments", `{"lines":[{"sku":"A1","quantity":4}]}`, "s-1")
	read, _ := p.send(t, http.MethodGet, "/v1/orders/"+order.ID+"/allocations", "", "Holdfast-Min-Position: "+shipped)
	// Six are promised at north, and only three are there: the others come from south.
	counted := do(http.MethodPost, "/v1/stock/A1/counts", `{"counted":3,"location":"north"}`, "n-1")
	const head = "SKU  LOCATION  RESERVED  COMMITTED  BACKORDERED  SHIPPED  RESTOCKED  DAMAGED\n"
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--after", counted}, head +
			"A1   north            0          3            0        4          0        0\n" +
			"A1   south            0          5            0        0          0        0\n"},
		{[]string{"--as-of", read.Header.Get("Holdfast-Position")}, head +
			"A1   north            0          6            0        4          0        0\n" +
			"A1   south            0          2            0        0          0        0\n"},
		{[]string{"--as-of", "2026-01-05T12:00:00Z"}, "order_not_found"},
	} {
		out, _ := p.cli(t, binary, append([]string{"order", "allocations", order.ID}, test.args...)...)
		if !strings.Contains(out, test.want) {
			t.Errorf("%v: got\n%swant\n%s", test.args, out, test.want)
		}
	}
	if _, err := p.end(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
