package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server answers orders with 201, the bulk set-up line by line, and lets a test interfere.
func server(t *testing.T, interfere func(n int64, w http.ResponseWriter) bool) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/commands" {
			body, _ := io.ReadAll(r.Body)
			for range strings.Count(string(body), "\n") {
				_, _ = io.WriteString(w, `{"id":"x","status":201}`+"\n")
			}
			return
		}
		if interfere != nil && interfere(n.Add(1), w) {
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"order_id":"o-`+r.Header.Get("Idempotency-Key")+`","status":"reserved"}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAStallCountsForEveryOrderBehindIt(t *testing.T) {
	const stall = 300 * time.Millisecond
	s := server(t, func(n int64, _ http.ResponseWriter) bool {
		if n == 1 {
			time.Sleep(stall) // the stall that is measured
		}
		return false
	})
	report, err := Run(context.Background(), Config{URLs: []string{s.URL}, Concurrency: 1, Rate: 200, Orders: 40, Duration: 10 * time.Second, SKUs: 1})
	if err != nil {
		t.Fatal(err)
	}
	// 40 orders are due within 200 ms; one caller, stalled by the first, is late for all of them.
	if report.Orders != 40 || report.P50 < 80 {
		t.Fatalf("%+v", report)
	}
}

func TestRefusalsThatPassAreRetriedWithTheSameKey(t *testing.T) {
	s := server(t, func(n int64, w http.ResponseWriter) bool {
		if n%3 != 0 {
			w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[n%2])
			return true
		}
		return false
	})
	var acks bytes.Buffer
	report, err := Run(context.Background(), Config{URLs: []string{s.URL}, Concurrency: 1, Orders: 5, Duration: 10 * time.Second, SKUs: 1, Acks: &acks, KeyPrefix: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if report.Retries != 10 || report.Answers["201"] != 5 {
		t.Fatalf("%+v", report)
	}
	dec := json.NewDecoder(&acks)
	for range 5 {
		var a Ack
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a.OrderID != "o-"+a.Key || a.Status != 201 || a.Outcome != "reserved" {
			t.Fatalf("%+v", a)
		}
	}
}

func TestBulkCountsEveryResult(t *testing.T) {
	s := server(t, nil)
	report, err := Run(context.Background(), Config{URLs: []string{s.URL}, Bulk: true, Orders: 2_000, Duration: 10 * time.Second, SKUs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if report.Orders != 2_000 || report.Answers["201"] != 2_000 {
		t.Fatalf("%+v", report)
	}
}
