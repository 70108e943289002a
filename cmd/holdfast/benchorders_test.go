package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
)

// shopOf is an API that accepts this number of orders and refuses the others.
func shopOf(t *testing.T, stock int64) string {
	t.Helper()
	var sold atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/commands", func(w http.ResponseWriter, r *http.Request) {
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintln(w, `{"id":"x","status":201}`)
		}
	})
	mux.HandleFunc("POST /v1/orders", func(w http.ResponseWriter, _ *http.Request) {
		if sold.Add(1) > stock {
			w.WriteHeader(http.StatusConflict)
		} else {
			w.WriteHeader(http.StatusCreated)
		}
		fmt.Fprint(w, `{}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// The command fails if orders are refused or never answered. Only an oversell test expects refusals.
func TestABenchWithErrorsFails(t *testing.T) {
	bench := func(orders string, more ...string) (string, error) {
		args := []string{"bench", "orders", "--url", shopOf(t, 30), "--orders", orders, "--skus", "3", "--quiet"}
		return holdfast(t, append(args, more...)...)
	}
	out, err := bench("50")
	if err == nil || !strings.Contains(err.Error(), "20 orders got no answer that counts: 201 × 30, 409 × 20") ||
		!strings.Contains(out, "30 in ") || !strings.Contains(out, "errors     20\n") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = bench("50", "-o", "json")
	if err == nil || !strings.Contains(out, `"errors": 20,`) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := bench("30"); err != nil || !strings.Contains(out, "errors     0\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// An oversell test fails unless exactly the stock was sold. Its error has both numbers.
func TestOversellIsExact(t *testing.T) {
	for _, test := range []struct {
		sells int64
		want  string
	}{
		{30, ""},
		{31, "31 reserved and 19 refused of 50 orders for 30 in stock"},
		{29, "29 reserved and 21 refused"},
	} {
		out, err := holdfast(t, "bench", "orders", "--url", shopOf(t, test.sells),
			"--oversell", "50", "--stock", "30", "--concurrency", "8", "--quiet")
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("a shop that sells %d of 30: %v, want %q\n%s", test.sells, err, test.want, out)
		}
	}
	holdfastFails(t, "--stock", "bench", "orders", "--oversell", "50")
}

// The mirror's bench copies all that was mirrored: each order of 20 lines has a row in two tables, and each line in two
// others.
func TestBenchMirrorComparesAllRows(t *testing.T) {
	out, err := holdfast(t, "bench", "mirror", "--lines", "200", "-o", "json")
	var r loadtest.MirrorReport
	if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Lines != 200 || r.Events != 10 || r.Rows != 420 ||
		r.Ratio != r.RowsPerSecond/r.CopyRowsPerSecond || r.LiveHeapMB < r.IdleHeapMB {
		t.Errorf("%+v", r)
	}
	if runtime.GOOS == "linux" && (r.EnginePeakMB == 0 || r.EngineCPUSeconds == 0 || r.EngineMB == 0) {
		t.Error("it does not say what ClickHouse took")
	}
}

// Callers spread over replicas that share the shards. The report has the numbers of both.
func TestBenchOfReplicas(t *testing.T) {
	out, err := holdfast(t, "bench", "orders", "--replicas", "2", "--shards", "4",
		"--orders", "60", "--skus", "10", "--concurrency", "4", "--quiet", "-o", "json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var report loadtest.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Answers["201"] != 60 || report.Settings.Replicas != 2 || report.Settings.Shards != 4 {
		t.Errorf("%+v", report)
	}
	out, err = holdfast(t, "bench", "orders", "--replicas", "2", "--orders", "10", "--skus", "3", "--quiet")
	if err != nil || !strings.Contains(out, "2 of order-api, 2 shards") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"--replicas", "0"}, {"--replicas", "2", "--url", "http://127.0.0.1:1"}} {
		holdfastFails(t, "--replicas is a number", append([]string{"bench", "orders"}, args...)...)
	}
}
