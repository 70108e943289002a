//go:build !noembedded

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/schemas/insights"
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

// The CPU time of a platform in processes of its own is that of these processes. Order n has the key with the number n.
func TestBenchReportsTheCPUOfOtherProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems have no /proc")
	}
	args := []string{"bench", "orders", "--url", shopOf(t, 30), "--orders", "30", "--skus", "3", "-o", "json", "--cpu-of"}
	out, err := holdfast(t, append(args, fmt.Sprint(os.Getpid()))...)
	var r loadtest.Report
	if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := fmt.Sprintf("processes [%d] and those below them", os.Getpid())
	if r.CPUIncludes != want || !strings.HasPrefix(r.Settings.KeyPrefix, "bench-") {
		t.Errorf("%+v", r)
	}
	if _, err := holdfast(t, append(args, "1073741824")...); err == nil || !strings.Contains(err.Error(), "no process") {
		t.Errorf("a process that does not exist: %v", err)
	}
	holdfastFails(t, "--url", "bench", "orders", "--cpu-of", "1")
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

// The replay's bench goes through all of its steps with few lines, and says what it measured of each.
func TestBenchReplayMeasuresEachStep(t *testing.T) {
	out, err := holdfast(t, "bench", "replay", "--lines", "400", "--pairs", "1", "--duration", "400ms", "--quiet",
		"-o", "json")
	var r loadtest.ReplayReport
	if err := errors.Join(err, json.Unmarshal([]byte(out), &r)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ready, err := insights.Ready()
	if err != nil {
		t.Fatal(err)
	}
	f := r.FromLog
	if r.Lines != 400 || r.Orders != 20 || f.Insights != len(ready) || f.Seconds <= 0 || f.LiveSeconds < f.Seconds ||
		f.Ratio != f.LinesPerSecond/f.CopyLinesPerSecond {
		t.Errorf("from the log: %+v", r)
	}
	if len(r.New) != 4 || len(r.Questions) != 5 {
		t.Fatalf("new insights %+v, questions %+v", r.New, r.Questions)
	}
	for _, n := range r.New {
		if n.Seconds <= 0 {
			t.Errorf("a new insight took no time: %+v", n)
		}
	}
	for _, q := range r.Questions { // the live insight and the raw lines say the same
		if q.Rows != r.Questions[0].Rows || q.P50 <= 0 {
			t.Errorf("questions %+v", r.Questions)
		}
	}
	if r.Load == nil || len(r.Load.PerSecond) != 1 || r.Load.Ratio <= 0 {
		t.Errorf("load %+v", r.Load)
	}
	tables := map[string]loadtest.TableSize{}
	for _, table := range r.Tables {
		tables[table.Table] = table
	}
	if tables["sales"].Rows != 400 || tables["revenue"].BytesPerLine <= 0 || !tables["revenue"].Insight {
		t.Errorf("tables %+v", tables)
	}
	holdfastFails(t, "--lines and --pairs are at least 1", "bench", "replay", "--lines", "0")
}

// A newcomer reads which goals were met.
func TestBenchReplaySaysWhichGoalsWereMet(t *testing.T) {
	r := loadtest.ReplayReport{
		Lines: 2_000_000, FromLog: loadtest.FromLog{Ratio: 0.4},
		New: []loadtest.NewInsight{
			{Insight: "revenue", Source: client.CreateReplaySourceMirror, Seconds: 2.5},
			{Insight: "revenue", Source: client.CreateReplaySourceKafka, Seconds: 2.5},
		},
		Questions: []loadtest.QuestionTimes{{Question: "all measures", P50: 20, P99: 101}},
		Load:      &loadtest.LoadDuringReplays{Ratio: 0.84, Lag: &loadtest.Visibility{P99: 1999}},
	}
	var out strings.Builder
	if err := printReplay(&out, &r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`per cent of ClickHouse +40 % +≥ 33 % +met\n`, `from mirror +2\.50 s +≤ 2\.00 s +missed\n`,
		`from kafka +2\.50 s +≤ 18\.45 s +met\n`, `, p50 +20\.0 ms +≤ 20\.0 ms +met\n`,
		`the same, p99 +101\.0 ms +≤ 100\.0 ms +missed\n`, `those without +84 % +≥ 85 % +missed\n`,
		`p99, without replays, .* +1999 ms +≤ 2000 ms +met\n`, `p99, with replays, .* +too short to see\n`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
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
