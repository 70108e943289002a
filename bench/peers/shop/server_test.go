package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// memory is a store in memory.
type memory struct {
	mu     sync.Mutex
	stock  map[string]int64
	orders map[[16]byte]*Order
}

func (m *memory) Close() {}

func (m *memory) Receive(_ context.Context, sku string, quantity int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stock[sku] += quantity
	return nil
}

func (m *memory) Place(_ context.Context, o *Order) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.CustomerID == "broken" {
		return 0, errors.New("the disk is full")
	}
	if known := m.orders[o.ID]; known != nil && known.Fingerprint != o.Fingerprint {
		return 0, ErrReused
	}
	for _, need := range o.Needs {
		if m.stock[need.SKU] < need.Quantity {
			return 0, &ShortError{need.SKU, m.stock[need.SKU]}
		}
	}
	m.orders[o.ID] = o
	return int64(len(m.orders)), nil
}

func serveMemory(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(Handler(&memory{stock: map[string]int64{"A": 1, "B": 5}, orders: map[[16]byte]*Order{}}))
	t.Cleanup(server.Close)
	return server.URL
}

func post(t *testing.T, url, key, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// The answers are those of Holdfast, so that one load generator reads both.
func TestAnswers(t *testing.T) {
	url := serveMemory(t) + "/v1/orders"
	for _, test := range []struct {
		key, body string
		status    int
		want      string
	}{
		{"k", body, 201, `{"order_id":"` + OrderID("k").String() + `","number":1,"version":2,"status":"reserved",` +
			`"payment_status":"pending","fulfilment_status":"unfulfilled","return_status":"none","currency":"GBP",` +
			`"total":"15.12"}`},
		{"k", body, 201, `"number":1,`},
		{"k", strings.Replace(body, "c-1", "c-2", 1), 422, `"code":"idempotency_key_reused"`},
		{"l", strings.Replace(body, `"quantity":1`, `"quantity":2`, 1), 409,
			`"short":[{"sku":"A","requested":2,"available":1}]}`},
		{"m", "{}", 400, `"code":"invalid_order"`},
		{"n", strings.Replace(body, "c-1", "broken", 1), 500, "the disk is full"},
	} {
		status, answer := post(t, url, test.key, test.body)
		if status != test.status || !strings.Contains(answer, test.want) || !json.Valid([]byte(answer)) {
			t.Errorf("%s: %d %s", test.key, status, answer)
		}
	}
}

// A stream answers each line in order, with the answer that the line would get alone.
func TestAStream(t *testing.T) {
	url := serveMemory(t) + "/v1/commands"
	var lines strings.Builder
	for n := range 3_000 {
		fmt.Fprintf(&lines, `{"id":"k-%d","type":"place_order","body":%s}`+"\n", n, body)
	}
	lines.WriteString(`{"id":"i","type":"register_item","sku":"C","body":{"description":"C"}}` + "\n")
	lines.WriteString(`{"id":"r","type":"receive_stock","sku":"C","body":{"location":"main","quantity":2}}` + "\n")
	lines.WriteString(`{"id":"x","type":"ship_order","body":{}}` + "\n")
	lines.WriteString("no JSON\n")
	status, answer := post(t, url, "", lines.String())
	results := strings.Split(strings.TrimSpace(answer), "\n")
	if status != http.StatusOK || len(results) != 3_004 {
		t.Fatalf("%d, %d results", status, len(results))
	}
	for n, result := range results[:3_000] {
		if !strings.HasPrefix(result, fmt.Sprintf(`{"id":"k-%d","status":201,"order":{`, n)) || !json.Valid([]byte(result)) {
			t.Fatalf("%d: %s", n, result)
		}
	}
	for n, want := range []string{`"id":"i","status":201`, `"id":"r","status":201`, `"status":400`, `"status":400`} {
		if got := results[3_000+n]; !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Orders that come while a batch is under way are the next batch, and each gets its own outcome.
func TestOrdersAreGathered(t *testing.T) {
	const callers, largest = 50, 20
	begun, goOn := make(chan int, callers), make(chan struct{})
	g := NewGatherer(1, largest, func(_ context.Context, orders []*Order, outcomes []Outcome) {
		begun <- len(orders)
		<-goOn
		for i, o := range orders {
			outcomes[i] = Outcome{Number: o.TotalMicros}
			if o.TotalMicros == 7 {
				outcomes[i] = Outcome{Err: ErrReused}
			}
		}
	})
	var placing sync.WaitGroup
	place := func(n int64) {
		placing.Go(func() {
			number, err := g.Place(context.Background(), &Order{TotalMicros: n})
			if n == 7 && !errors.Is(err, ErrReused) || n != 7 && (err != nil || number != n) {
				t.Errorf("order %d: %d, %v", n, number, err)
			}
		})
	}
	place(0)
	if n := <-begun; n != 1 {
		t.Errorf("a caller that is alone waits for others: %d", n)
	}
	for n := range int64(callers - 1) {
		place(n + 1)
	}
	for len(g.queue) < callers-1 { // they wait for the first batch
		select {
		case n := <-begun:
			t.Fatalf("a batch of %d began before the first one ended", n)
		default:
		}
	}
	close(goOn)
	placing.Wait()
	g.Close()
	close(begun)
	batches := 0
	for n := range begun {
		if batches++; n > largest {
			t.Errorf("a batch of %d", n)
		}
	}
	if batches != 3 { // 49 orders, at most 20 each
		t.Errorf("%d batches more", batches)
	}
}
