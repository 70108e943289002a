package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func serve(t *testing.T, handler http.HandlerFunc, options ...Option) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return New(server.URL, options...)
}

var oneLine = PlaceOrder{
	CustomerID: "c-1", Currency: "GBP", Lines: []OrderLine{{SKU: "A1", Quantity: 2, UnitPrice: "2.55"}},
}

func TestRetriesKeepTheKey(t *testing.T) {
	var keys, bodies []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(body))
		switch len(keys) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable) // a proxy's answer, no problem document
		case 2:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"type":"/errors/x","title":"x","status":429,"code":"too_many_requests"}`)
		case 3:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			w.Header().Set("ETag", `"2"`)
			w.Header().Set("Holdfast-Position", "o0.2")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"order_id":"o","version":2,"status":"reserved","payment_status":"pending",`+
				`"fulfilment_status":"unfulfilled","currency":"GBP","total":"5.10"}`)
		}
	})
	answer, err := c.PlaceOrder(context.Background(), oneLine)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Value.Status != "reserved" || answer.Version != 2 || answer.Position != "o0.2" ||
		answer.Status != http.StatusCreated {
		t.Errorf("answer %+v", answer)
	}
	const body = `{"currency":"GBP","customer_id":"c-1","lines":[{"quantity":2,"sku":"A1","unit_price":"2.55"}]}`
	for i := range keys {
		if keys[i] == "" || keys[i] != keys[0] || bodies[i] != body {
			t.Errorf("try %d: key %q, body %s", i, keys[i], bodies[i])
		}
	}
	if len(keys) != 4 {
		t.Errorf("%d tries, want 4", len(keys))
	}
}

func TestRefusalsAreProblemsAndNotRetried(t *testing.T) {
	var n atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"type":"/errors/insufficient_stock","title":"x","status":409,"code":"insufficient_stock",`+
			`"detail":"d","short":[{"sku":"A1","requested":2,"available":1}]}`)
	})
	_, err := c.PlaceOrder(context.Background(), oneLine)
	var p *Problem
	if !errors.As(err, &p) || p.Code != "insufficient_stock" || len(p.Short) != 1 || p.Short[0].Available != 1 {
		t.Fatalf("got %v", err)
	}
	if n.Load() != 1 {
		t.Errorf("%d tries, want 1", n.Load())
	}
}

func TestRetriesAreBounded(t *testing.T) {
	var n atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}, WithAttempts(3))
	for what, ask := range map[string]func() error{
		"availability": func() error { _, err := c.Availability(t.Context(), "A1"); return err },
		"CSV":          func() error { _, err := c.OrdersCSV(t.Context(), OrderFilter{}, io.Discard); return err },
		"progress":     func() error { return c.FollowReplay(t.Context(), "r", func(*Replay) {}) },
	} {
		n.Store(0)
		if err := ask(); err == nil || n.Load() != 3 {
			t.Errorf("%s: %d tries, %v", what, n.Load(), err)
		}
	}
}

// A stream of progress may break any number of times, as long as each brings something.
func TestProgressThatComesResetsTheRetries(t *testing.T) {
	var n atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 2, 4:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 6:
			_, _ = io.WriteString(w, "data: {}\n\nevent: end\ndata: {}\n\n")
		default:
			_, _ = io.WriteString(w, "data: {}\n\n")
		}
	}, WithAttempts(3))
	changes := 0
	if err := c.FollowReplay(t.Context(), "r", func(*Replay) { changes++ }); err != nil || n.Load() != 6 || changes != 5 {
		t.Errorf("%d tries, %d changes: %v", n.Load(), changes, err)
	}
}

// What follows the server goes on while proxies answer that it is away, once it has answered.
func TestFollowersGoOn(t *testing.T) {
	var n atomic.Int64
	answer := ""
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch i := n.Add(1); i {
		case 1, 5:
			_, _ = io.WriteString(w, answer)
		case 6:
			w.WriteHeader(http.StatusGone)
		default:
			w.WriteHeader([]int{http.StatusBadGateway, http.StatusGatewayTimeout}[i%2])
		}
	}, WithAttempts(2))
	follow := map[string]func() (int, error){
		"[]": func() (pages int, last error) {
			for _, err := range c.FollowEvents(t.Context(), EventFilter{}) {
				if last = err; err == nil {
					pages++
				}
			}
			return pages, last
		},
		"id: o0.1\ndata: {}\n\n": func() (messages int, last error) {
			for _, err := range c.StreamOrders(t.Context(), OrderStream{}) {
				if last = err; err == nil {
					messages++
				}
			}
			return messages, last
		},
	}
	for text, follow := range follow {
		n.Store(0)
		answer = text
		got, err := follow()
		if p, _ := errors.AsType[*Problem](err); got != 2 || n.Load() != 6 || p == nil || p.Status != http.StatusGone {
			t.Errorf("%q: %d in %d tries, %v", text, got, n.Load(), err)
		}
		n.Store(1) // away from the start
		if got, err := follow(); got != 0 || n.Load() != 3 || err == nil {
			t.Errorf("%q: %d in %d tries, %v", text, got, n.Load(), err)
		}
	}
}

// No retry brings back events that are deleted, and none makes a message understood.
func TestStreamsEndForGood(t *testing.T) {
	for _, text := range []string{
		"event: end\ndata: {\"code\":\"events_deleted\"}\n\n", "event: end\ndata: {\n\n", "id: o0.1\ndata: {\n\n",
	} {
		var n atomic.Int64
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			_, _ = io.WriteString(w, text)
		})
		for _, err := range c.StreamOrders(t.Context(), OrderStream{}) {
			if err == nil || n.Load() != 1 {
				t.Errorf("%q: %v after %d tries", text, err, n.Load())
			}
		}
	}
}

func TestRequestsAreAsSpecified(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %s %s",
			r.Method, r.URL.RequestURI(), r.Header.Get("Idempotency-Key"), r.Header.Get("If-Match"), body)
		io.WriteString(w, `{}`)
	}, WithKeys(func() string { return "k" }))
	ctx := context.Background()
	damaged := ReceiveReturn{Lines: []ReturnedLine{{SKU: "A", Quantity: 1, Condition: "damaged"}}}
	for want, call := range map[string]func() error{
		`PUT /v1/stock/BANK%20CHARGES k  {"description":"d"}`: func() error {
			return errorOf(c.RegisterItem(ctx, "BANK CHARGES", RegisterItem{Description: "d"}))
		},
		`POST /v1/stock/A%2F1/receipts k "3" {"quantity":5}`: func() error {
			return errorOf(c.ReceiveStock(ctx, "A/1", ReceiveStock{Quantity: 5}, IfVersion(3)))
		},
		`POST /v1/orders/o/cancel mine  {"reason":"r"}`: func() error {
			return errorOf(c.CancelOrder(ctx, "o", "r", Key("mine")))
		},
		`POST /v1/orders/o/fulfilments k  {}`: func() error {
			return errorOf(c.ShipOrder(ctx, "o", ShipOrder{}))
		},
		`POST /v1/orders/o/fulfilments/f/delivery k  {}`: func() error {
			return errorOf(c.DeliverOrder(ctx, "o", "f", DeliverOrder{}))
		},
		`GET /v1/orders?customer_id=c+1&limit=2   `: func() error {
			return errorOf(c.Orders(ctx, OrderFilter{CustomerID: "c 1", Limit: 2}))
		},
		`GET /v1/orders?number=1034   `: func() error {
			return errorOf(c.Orders(ctx, OrderFilter{Number: 1034}))
		},
		`POST /v1/orders/o/returns k  {}`: func() error {
			return errorOf(c.RequestReturn(ctx, "o", RequestReturn{}))
		},
		`POST /v1/orders/o/returns/r/receipt k  {"lines":[{"condition":"damaged","quantity":1,"sku":"A"}]}`: func() error {
			return errorOf(c.ReceiveReturn(ctx, "o", "r", damaged))
		},
		`POST /v1/orders/o/returns/r/cancel k  {"reason":"kept"}`: func() error {
			return errorOf(c.CancelReturn(ctx, "o", "r", "kept"))
		},
		`GET /v1/availability/A1   `: func() error {
			return errorOf(c.Availability(ctx, "A1"))
		},
		`POST /v1/availability   {"skus":["A1"]}`: func() error {
			return errorOf(c.Availabilities(ctx, []string{"A1"}))
		},
		`PUT /v1/stock/A1/backorder-limit k  {"limit":0}`: func() error {
			return errorOf(c.SetBackorderLimit(ctx, "A1", 0))
		},
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
}

// A client that speaks for somebody says so with every command, and with nothing else. The one that it was made of does
// not.
func TestAClientNamesWhoAsks(t *testing.T) {
	var got []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, fmt.Sprintf("%s %q", r.URL.Path, r.Header.Values("Holdfast-Actor")))
		io.WriteString(w, `{}`)
	})
	ctx, zoe := context.Background(), c.As("zoë")
	for _, call := range []func() error{
		func() error { return errorOf(zoe.RegisterItem(ctx, "A1", RegisterItem{Description: "d"})) },
		func() error { return errorOf(zoe.Outcomes(ctx, []string{""}, strings.NewReader(""))) },
		func() error { return errorOf(zoe.Availability(ctx, "A1")) },
		func() error { return errorOf(c.RegisterItem(ctx, "A1", RegisterItem{Description: "d"})) },
		func() error {
			return errorOf(zoe.As("").RegisterItem(ctx, "A1", RegisterItem{Description: "d"}))
		},
	} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		`/v1/stock/A1 ["zoë"]`, `/v1/commands ["zoë"]`, `/v1/availability/A1 []`, `/v1/stock/A1 []`, `/v1/stock/A1 []`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestRunCommandsStreams(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		lines := bufio.NewScanner(r.Body)
		for n := 1; lines.Scan(); n++ {
			if !strings.Contains(lines.Text(), fmt.Sprintf(`"id":"k-%d"`, n)) {
				t.Errorf("line %s", lines.Text())
			}
			fmt.Fprintf(w, `{"id":"k-%d","status":201}`+"\n", n)
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
		}
	}, WithKeys(counter()))
	// Each command is made only after the result of the one before, so that a line that stays in a buffer would block.
	next := make(chan struct{}, 1)
	next <- struct{}{}
	commands := func(yield func(CommandLine) bool) {
		for range 5 {
			<-next
			if !yield(CommandLine{Type: "receive_stock", SKU: "A1", Body: ReceiveStock{Quantity: 1}}) {
				return
			}
		}
	}
	n := 0
	for result, err := range c.RunCommands(context.Background(), commands) {
		if err != nil || result.Status != 201 {
			t.Fatal(result, err)
		}
		n++
		next <- struct{}{}
	}
	if n != 5 {
		t.Errorf("%d results, want 5", n)
	}
}

func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprint("k-", n) }
}

// errorOf is the error of a call that also returns an answer.
func errorOf[T any](_ T, err error) error { return err }
