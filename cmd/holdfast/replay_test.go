package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/pkg/client"
)

const unitsFile = `name: units
description: Units sold.
source: sales
keys: {country: country}
measures:
  units: sum(quantity)
`

// replayStack is a platform with two orders, and a file with a definition.
func replayStack(t *testing.T) (url, file string) {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouseListen: "127.0.0.1:0", Shards: 1,
		Partitions: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := client.New(s.URL())
	if _, err := c.RegisterItem(t.Context(), "A1", client.RegisterItem{Description: "an item"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveStock(t.Context(), "A1", client.ReceiveStock{Quantity: 100}); err != nil {
		t.Fatal(err)
	}
	for i, country := range []string{"France", "Japan"} {
		_, err := c.ImportOrder(t.Context(), client.ImportDocument{
			CustomerID: "c", Currency: "GBP", Country: country, Reference: fmt.Sprintf("o-%d", i),
			OccurredAt: time.Date(2011, 1, 2, 0, 0, 0, 0, time.UTC),
			Lines:      []client.OrderLine{{SKU: "A1", Quantity: int64(i + 1), UnitPrice: "2.55"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(t.TempDir(), "units.yaml")
	writeDefinition(t, file, unitsFile)
	return s.URL(), file
}

func writeDefinition(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// says runs a command that ends with a status, and prints all of want.
func says(t *testing.T, status exitStatus, args []string, want ...string) string {
	t.Helper()
	out, err := holdfast(t, args...)
	var got exitStatus
	if err != nil && !errors.As(err, &got) {
		got, out = 1, out+err.Error()
	}
	if got != status {
		t.Fatalf("%v: status %d, want %d\n%s", args, got, status, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%v does not say %q:\n%s", args, w, out)
		}
	}
	return out
}

// Given a platform, when a definition is planned, applied, changed, verified, put live and rolled back, then each
// command says what there is to do and what was done.
func TestInsightsFromPlanToRollback(t *testing.T) {
	url, file := replayStack(t)
	run := func(status exitStatus, command string, want ...string) string {
		t.Helper()
		return says(t, status, append(strings.Fields(command), "--url", url), want...)
	}
	run(2, "insight plan "+file, "units", "new", "1 of 1 to compute.")
	run(2, "insight plan "+filepath.Dir(file)+" -o json", `"change": "new"`)
	run(1, "insight apply "+file, "--yes does it without a question") // nobody answers
	run(0, "insight apply --yes --actor zoe "+file, "filling", "live")
	run(0, "insight plan "+file, "unchanged", "There is nothing to do.")

	more := unitsFile + "  orders: uniqExact(order_id)\n"
	writeDefinition(t, file, more)
	run(2, "insight plan "+file, "additive", "+ measures.orders: uniqExact ( order_id )", "replay ")
	run(0, "insight apply --yes --no-promote "+file, "staged")
	run(0, "insight apply --yes "+file, "is staged", "live", "0 of 2 rows differ from the live version")

	writeDefinition(t, file, strings.Replace(more, "source: sales", "source: sales\nwhere: country = 'Japan'", 1))
	run(0, "insight diff "+file, "units, changed:", "+ where: country = 'Japan'")
	run(1, "insight diff --data "+file, "was verified")
	run(0, "replay create --wait "+file, "staged")
	out := run(0, "replay ls --insight units --phase staged")
	id := strings.Fields(out)[6][:8]
	run(1, "replay promote "+id, "was not verified", "--force does it nevertheless")
	run(0, "replay verify "+id, "verifying")
	run(0, "replay wait "+id, "1 of 1 rows differ")
	run(0, "insight diff --data "+file, "country=France")
	run(0, "replay promote "+id+" --reason because --actor zoe", "is live")
	run(0, "replay show "+id, "live", "orders.events/")
	run(0, "replay log "+id, "promoted", "zoe", "because")
	run(0, "replay rollback "+id, "is former")
	run(0, "replay discard "+id, "is discarded")
	run(3, "replay wait "+id, "discarded")
	run(0, "insight drop units --yes", "is dropped")
	run(2, "insight plan "+file, "new")

	writeDefinition(t, file, strings.Replace(unitsFile, "sum(quantity)", "sum(quantityy)", 1))
	run(1, "insight plan "+file, file+":6: measures.units: ")
	run(1, "replay create "+file, file+":6: measures.units: ")
	run(1, "replay show ffff", "holdfast replay ls lists them")
	run(1, "replay create", "name a file")
	run(1, "insight plan", "name files or folders")
	run(1, "insight plan "+t.TempDir(), "has no .yaml files")
}

// Given replays of a version that are there already, apply makes one live that was live before, and says why it cannot
// take one that is paused, or one that would go live against the wish of who applies.
func TestApplyTakesTheReplayThatIsThere(t *testing.T) {
	url, file := replayStack(t)
	run := func(status exitStatus, command string, want ...string) string {
		t.Helper()
		return says(t, status, append(strings.Fields(command), "--url", url), want...)
	}
	second := unitsFile + "  orders: uniqExact(order_id)\n"
	run(0, "insight apply --yes "+file, "live")
	writeDefinition(t, file, second)
	run(0, "insight apply --yes "+file, "live")
	writeDefinition(t, file, unitsFile)
	run(1, "insight apply --yes --wait=false "+file, "leave out --wait=false")
	run(0, "insight apply --yes "+file, "is former", "verifying", "live, ")
	run(0, "insight plan "+file, "There is nothing to do.")

	third := unitsFile + "  lines: count()\n"
	writeDefinition(t, file, third)
	slow := strings.Fields(run(0, "replay create --promote --events-per-second 1 "+file))[1]
	run(1, "insight apply --yes --no-promote "+file, slow, "goes live by itself: leave out --no-promote")
	run(0, "replay pause "+slow, "is paused")
	paused := []string{"replay " + slow + " is paused", "holdfast replay resume " + slow[:8] + " goes on with it"}
	run(1, "insight apply --yes "+file, paused...)
	writeDefinition(t, file, second+"  lines: count()\n")
	run(1, "insight apply --yes "+file, append(paused, "the next one of units waits for it")...)
	run(0, "replay create "+file, "queued")
	run(1, "insight apply --yes "+file, paused...)

	run(1, "replay create --promote --from 2011-01-01 "+file,
		"--promote a part of the history goes live only by force: leave out promote")
	writeDefinition(t, filepath.Join(filepath.Dir(file), "more.yaml"), third)
	run(1, "insight diff "+filepath.Dir(file), "has 2 definitions, and one is compared at a time")
}

// A replay that was to go live and did not is no success.
func TestEndingsOfReplays(t *testing.T) {
	for _, test := range []struct {
		replay client.Replay
		want   error
	}{
		{client.Replay{Phase: client.ReplayPhaseStaged}, nil},
		{client.Replay{Phase: client.ReplayPhaseLive, Promote: true}, nil},
		{client.Replay{Phase: client.ReplayPhaseFormer, Promote: true, PromotedAt: time.Unix(1, 0)}, nil},
		{client.Replay{Phase: client.ReplayPhaseCancelled, Promote: true}, replayEnded},
		{client.Replay{
			Phase: client.ReplayPhaseStaged, Promote: true, Verified: client.ReplayVerified{Problem: "2 keys are wrong"},
		}, replayFailed},
	} {
		if err := endingOf(&test.replay); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test.replay, err, test.want)
		}
	}
	paused := &client.Replay{ReplayID: "0d9f8a52-4a7b", Phase: client.ReplayPhasePaused}
	if err := endingOf(paused); err == nil || !strings.Contains(err.Error(), "holdfast replay resume 0d9f8a52 goes on") {
		t.Errorf("paused: %v", err)
	}
	late := &client.Replay{
		ReplayID: "0d9f8a52-4a7b", Phase: client.ReplayPhaseStaged, Promote: true,
		Verified: client.ReplayVerified{Green: true},
	}
	if err := endingOf(late); err == nil || !strings.Contains(err.Error(), "holdfast replay promote 0d9f8a52 says why") {
		t.Errorf("another version went live since: %v", err)
	}
}

// Where a sample took too long, a plan says that time and disk are not known.
func TestPlansWithoutAnEstimate(t *testing.T) {
	item := &client.PlanItem{Estimate: client.ReplayEstimate{Basis: client.BasisUnknown, Offsets: 5000, SourceRows: 9}}
	if got := estimateColumns(item); got != "9\t5,000\t-\t-\tno sample in time" {
		t.Errorf("it says %q", got)
	}
}

// Without a terminal there is a line for each change, and one every five seconds.
func TestReplaysAreWatchedByLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := &replayWatch{out: &out}
		r := &client.Replay{ReplayID: "0d9f8a52-4a7b", Insight: "units", Phase: client.ReplayPhaseFilling}
		for i := range 8 {
			r.Progress = client.ReplayProgress{Done: int64(i * 1000), Total: 8000, EventsPerSecond: 1000,
				RemainingSeconds: float64(8 - i)}
			w.show(r)
			time.Sleep(time.Second)
		}
		r.Stalled = "ClickHouse is away"
		w.show(r)
		w.show(r)
		r.Stalled, r.Idle, r.Phase = "", true, client.ReplayPhaseStaged
		r.Filled = client.ReplayFilled{Events: 8000, Seconds: 9}
		w.show(r)
		const want = "units 0d9f8a52: filling, 0 of 8,000 events, 1,000 events/s, 8s left\n" +
			"units 0d9f8a52: filling, 6,000 of 8,000 events, 1,000 events/s, 2s left\n" +
			"units 0d9f8a52: filling, 7,000 of 8,000 events, 1,000 events/s, 1s left, stalled: ClickHouse is away\n" +
			"units 0d9f8a52: staged, 8,000 events in 9.0 s\n"
		if out.String() != want {
			t.Errorf("it said\n%s\nwant\n%s", &out, want)
		}
	})
}

// On a terminal the bars are drawn over those before, and an error stays.
func TestReplaysAreWatchedOnATerminal(t *testing.T) {
	var out bytes.Buffer
	w := &replayWatch{out: &out, terminal: true}
	r := &client.Replay{ReplayID: "0d9f8a52-4a7b", Insight: "units", Phase: client.ReplayPhaseFilling}
	for i := range 30 {
		r.Progress.Partitions = append(r.Progress.Partitions,
			client.ReplayPartition{Topic: "orders.events", Partition: int32(i), Next: int64(i), Target: int64(2 * i)})
	}
	w.show(r)
	if drawn := out.String(); strings.Count(drawn, "\n") != watchBars+2 || !strings.Contains(drawn, "████████████░░░") ||
		!strings.Contains(drawn, "and 13 more partitions") {
		t.Errorf("it has drawn %q", drawn)
	}
	out.Reset()
	r.Stalled = "ClickHouse " + strings.Repeat("away ", 40)
	w.show(r)
	up := fmt.Sprintf("\x1b[%dA", watchBars+2)
	if drawn := out.String(); !strings.HasPrefix(drawn, up+"\x1b[J") || !strings.Contains(drawn, r.Stalled+"\n") {
		t.Errorf("the error is not there: %q", drawn)
	}
}

// An abbreviation must stand for one replay.
func TestAbbreviatedReplays(t *testing.T) {
	const replay = `{"replay_id":"%s","insight":"units","fingerprint":"f","phase":"live","source":"mirror","pinned":"",` +
		`"promote":true,"created_at":"2026-05-04T10:12:00Z","by":{"name":"a","verified":false},"verifying":false,"idle":true}`
	url := api(t, "/v1/replays", http.StatusOK,
		fmt.Sprintf(`{"items":[`+replay+`,`+replay+`]}`, "0d9f8a52-1", "0d9f8a52-2"))
	holdfastFails(t, "2 replays have IDs that begin with 0d9f", "replay", "show", "0d9f", "--url", url)
}
