package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// platform answers like a platform. The test decides the answer to each attempt to place an order.
type platform struct {
	*httptest.Server
	// status is the status of an attempt with a key, counted from 1; default 201.
	status func(key string, try int) int
	// delay is the time before an answer.
	delay func()
	mu    sync.Mutex
	tries map[string]int
	body  map[string]string
	mixed atomic.Int64 // keys that came again with another body
	// breaksOff ends the answers of a stream before a line. Lines are counted from 1.
	breaksOff func(line int64) bool
	lines     atomic.Int64
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{tries: map[string]int{}, body: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/orders", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status := p.attempt(r.Header.Get("Idempotency-Key"), string(body))
		w.Header().Set("Holdfast-Position", "o0.7")
		w.WriteHeader(status)
		if status == http.StatusCreated {
			fmt.Fprintf(w, `{"order_id":"order of %s","version":2,"status":"reserved"}`, r.Header.Get("Idempotency-Key"))
			return
		}
		fmt.Fprintf(w, `{"status":%d,"code":"insufficient_stock"}`, status)
	})
	mux.HandleFunc("POST /v1/commands", p.commands)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *platform) attempt(key, body string) int {
	if p.delay != nil {
		p.delay()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries[key]++
	if before := p.body[key]; before != "" && before != body {
		p.mixed.Add(1)
	}
	p.body[key] = body
	if p.status == nil {
		return http.StatusCreated
	}
	return p.status(key, p.tries[key])
}

func (p *platform) commands(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		var line struct {
			ID   string          `json:"id"`
			Type string          `json:"type"`
			SKU  string          `json:"sku"`
			Body json.RawMessage `json:"body"`
		}
		if n := p.lines.Add(1); p.breaksOff != nil && p.breaksOff(n) {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintf(w, `{"status":400,"problem":{"code":"malformed_json"}}`+"\n")
			continue
		}
		status := http.StatusCreated
		if line.Type == "place_order" {
			status = p.attempt(line.ID, string(line.Body))
		}
		if line.SKU != "" {
			fmt.Fprintf(w, `{"id":%q,"status":201,"sku":%q,"position":"i0.7","stock":{}}`+"\n", line.ID, line.SKU)
		} else if status == http.StatusCreated {
			fmt.Fprintf(w, `{"id":%q,"status":201,"order_id":"order of %s","position":"o0.7",`+
				`"order":{"status":"reserved"}}`+"\n", line.ID, line.ID)
		} else {
			fmt.Fprintf(w, `{"id":%q,"status":%d,"problem":{"code":"insufficient_stock"}}`+"\n", line.ID, status)
		}
		_ = http.NewResponseController(w).Flush()
	}
}

func measure(t *testing.T, cfg Config) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if cfg.Duration == 0 {
		cfg.Duration = 20 * time.Second
	}
	report, err := Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A platform stalls once for 400 ms. A closed loop sees one slow answer. An open loop sees every order that was due
// during the stall.
func TestLoopsSeeAStallDifferently(t *testing.T) {
	const stall = 400 * time.Millisecond
	stalling := func() *platform {
		p := newPlatform(t)
		var n atomic.Int64
		p.delay = func() {
			if n.Add(1) == 50 {
				time.Sleep(stall)
			}
		}
		return p
	}
	open := measure(t, Config{URLs: []string{stalling().URL}, Concurrency: 1, Rate: 500, Orders: 500, SKUs: 3})
	// 200 of 500 orders were due during the stall. Their delays are spread evenly over its length.
	if open.Orders != 500 || open.P50 > 300 || open.Max < 350 || open.P99 < 300 {
		t.Errorf("open loop: %+v", open)
	}
	if at70 := open.PerSecond; at70 > 520 {
		t.Errorf("%.0f orders a second of 500", at70)
	}
	closed := measure(t, Config{URLs: []string{stalling().URL}, Concurrency: 1, Orders: 500, SKUs: 3})
	if closed.Orders != 500 || closed.P99 > 100 || closed.Max < 350 {
		t.Errorf("closed loop: %+v", closed)
	}
}

func TestOrdersThatWereNeverSentAreTold(t *testing.T) {
	p := newPlatform(t)
	p.delay = func() { time.Sleep(50 * time.Millisecond) }
	report := measure(t, Config{
		URLs: []string{p.URL}, Concurrency: 1, Rate: 200, Duration: 500 * time.Millisecond, SKUs: 3,
	})
	if report.NotStarted < 50 || report.NotStarted > 95 || report.Orders > 12 {
		t.Errorf("%+v", report)
	}
}

func TestRetriesKeepTheirKeyAndBody(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		p := newPlatform(t)
		p.status = func(key string, try int) int {
			switch {
			case strings.HasSuffix(key, "3") && try == 1:
				return http.StatusTooManyRequests
			case strings.HasSuffix(key, "7") && try < 3:
				return http.StatusServiceUnavailable
			case strings.HasSuffix(key, "9"):
				return http.StatusConflict
			}
			return http.StatusCreated
		}
		report := measure(t, Config{URLs: []string{p.URL}, Concurrency: 4, Orders: 100, SKUs: 50, Bulk: bulk, Refusals: true})
		if report.Orders != 100 || report.Errors != 0 || report.Retries != 30 ||
			report.Answers["201"] != 90 || report.Answers["409"] != 10 ||
			report.RetriedFor["429"] != 10 || report.RetriedFor["503"] != 20 {
			t.Errorf("bulk %t: %+v", bulk, report)
		}
		if len(p.tries) != 100 || p.mixed.Load() != 0 {
			t.Errorf("bulk %t: %d keys, %d came again with another body", bulk, len(p.tries), p.mixed.Load())
		}
	}
}

func TestAcksTellWhatWasAnswered(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		p := newPlatform(t)
		p.status = func(key string, _ int) int {
			if strings.HasSuffix(key, "4") {
				return http.StatusConflict
			}
			return http.StatusCreated
		}
		var file bytes.Buffer
		measure(t, Config{
			URLs: []string{p.URL}, Concurrency: 3, Orders: 10, SKUs: 3, Bulk: bulk, Acks: &file, KeyPrefix: "k",
		})
		acks := map[string]Ack{}
		for line := range strings.Lines(file.String()) {
			var a Ack
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			acks[a.Key] = a
		}
		if len(acks) != 10+6 {
			t.Fatalf("bulk %t: %d acks", bulk, len(acks))
		}
		if want := (Ack{"k-rcv-1", "receive_stock", "", "bench-0001", 201, "", "i0.7"}); acks["k-rcv-1"] != want {
			t.Errorf("bulk %t: %+v, want %+v", bulk, acks["k-rcv-1"], want)
		}
		if want := (Ack{"k-2", "place_order", "order of k-2", "", 201, "reserved", "o0.7"}); acks["k-2"] != want {
			t.Errorf("bulk %t: %+v, want %+v", bulk, acks["k-2"], want)
		}
		refused := acks["k-4"]
		refused.Position = ""
		if refused != (Ack{Key: "k-4", Type: "place_order", Status: 409, Outcome: "insufficient_stock"}) {
			t.Errorf("bulk %t: %+v", bulk, refused)
		}
	}
}

// Orders that are refused or never answered are errors. They count for neither rate nor latency.
func TestErrorsAreNoOrders(t *testing.T) {
	const patience = 500 * time.Millisecond
	for _, bulk := range []bool{false, true} {
		p := newPlatform(t)
		p.status = func(key string, _ int) int {
			switch key[len(key)-1] {
			case '4':
				return http.StatusConflict // expected in no run but one that is about refusals
			case '5':
				return http.StatusInternalServerError
			case '6':
				return http.StatusServiceUnavailable // for ever
			}
			return http.StatusCreated
		}
		report := measure(t, Config{
			URLs: []string{p.URL}, Concurrency: 4, Orders: 40, SKUs: 3, Bulk: bulk, RetryFor: patience,
		})
		if report.Orders != 28 || report.Errors != 12 || report.Answers["201"] != 28 || report.Answers["409"] != 4 ||
			report.Answers["500"] != 4 || report.Answers["gave up after 503"] != 4 {
			t.Errorf("bulk %t: %+v", bulk, report)
		}
		if report.Max >= float64(patience.Milliseconds()) {
			t.Errorf("bulk %t: the orders that were given up are in the latencies: %+v", bulk, report)
		}
	}
}

func TestAPlatformThatNeverAnswers(t *testing.T) {
	const patience = 200 * time.Millisecond
	gone := make(chan struct{})
	p := newPlatform(t)
	t.Cleanup(func() { close(gone) }) // before the server is closed, which waits for its requests
	p.delay = func() { <-gone }
	report := measure(t, Config{URLs: []string{p.URL}, Concurrency: 2, Orders: 2, SKUs: 3, RetryFor: patience})
	if report.Orders != 0 || report.PerSecond != 0 || report.Errors != 2 ||
		report.Answers["gave up after no answer"] != 2 {
		t.Errorf("%+v", report)
	}
	_, err := Run(context.Background(), Config{
		URLs: []string{p.URL}, Orders: 10, Duration: 20 * time.Second, SKUs: 3, Bulk: true, RetryFor: patience,
	})
	if err == nil || !strings.Contains(err.Error(), "no result for 200ms") {
		t.Errorf("a silent stream: %v", err)
	}
}

// A stream that ends before all lines have results is an error.
func TestAStreamThatBreaksOff(t *testing.T) {
	p := newPlatform(t)
	p.breaksOff = func(line int64) bool { return line == 4 || line > 100 } // of six to set up, and in the measurement
	_, err := Run(context.Background(), Config{
		URLs: []string{p.URL}, Orders: 1_000, Duration: 20 * time.Second, SKUs: 3, Bulk: true,
	})
	if err == nil || !strings.Contains(err.Error(), "lines unanswered") {
		t.Errorf("the lost lines are not told of: %v", err)
	}
	if len(p.tries) == 0 {
		t.Error("the set-up was not sent again: no order came")
	}
}

func TestBulkGoesBeyondItsWindow(t *testing.T) {
	const orders = 2*bulkStreams*bulkAhead + 1
	p := newPlatform(t)
	report := measure(t, Config{URLs: []string{p.URL}, Orders: orders, SKUs: 3, Bulk: true})
	if report.Orders != orders || report.Answers["201"] != orders || len(p.tries) != orders {
		t.Errorf("%+v, %d keys", report, len(p.tries))
	}
}

func TestAReplicaThatDoesNotAnswerIsLeft(t *testing.T) {
	p, gone := newPlatform(t), httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	p.delay = func() { time.Sleep(5 * time.Millisecond) } // both callers get their turn
	report := measure(t, Config{URLs: []string{p.URL, gone.URL}, Concurrency: 2, Orders: 20, SKUs: 3})
	if report.Orders != 20 || report.Answers["201"] != 20 || report.RetriedFor["no answer"] == 0 {
		t.Errorf("%+v", report)
	}
}

func TestBodies(t *testing.T) {
	for _, hot := range []bool{false, true} {
		cfg, err := Config{URLs: []string{"http://x"}, SKUs: 40, Hot: hot, OnAccount: true}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		skus := map[string]int{}
		for _, body := range cfg.makeBodies() {
			var order struct {
				Terms string `json:"payment_terms"`
				Lines []struct {
					SKU string `json:"sku"`
				} `json:"lines"`
			}
			if err := json.Unmarshal(body, &order); err != nil || len(order.Lines) != 3 || order.Terms != "on_account" {
				t.Fatalf("%s: %v", body, err)
			}
			for _, l := range order.Lines {
				skus[l.SKU]++
			}
		}
		if want := map[bool]int{false: 40, true: 1}[hot]; len(skus) != want {
			t.Errorf("hot %t: %d SKUs", hot, len(skus))
		}
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{URLs: []string{"http://x"}, Bulk: true, Rate: 1},
		{URLs: []string{"http://x"}, SKUs: -1},
	} {
		if _, err := Run(context.Background(), cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
