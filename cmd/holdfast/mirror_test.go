package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// A mirror is rebuilt, compared, found to be different, and rebuilt again, as the runbook does it.
func TestTheMirrorIsRebuilt(t *testing.T) {
	kafka, clickHouse := parkedEvents(t), chdbtest.Database(t)
	run := func(status int, args ...string) string {
		t.Helper()
		args = append([]string{"mirror", "rebuild", "--kafka", kafka, "--clickhouse", clickHouse}, args...)
		out, err := holdfast(t, args...)
		var exit exitStatus
		if err != nil && !errors.As(err, &exit) || int(exit) != status {
			t.Fatalf("holdfast %q: %v\n%s", args, err, out)
		}
		return out
	}
	says := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("it lacks %q:\n%s", w, out)
			}
		}
	}
	holdfastFails(t, "database is missing: start analytics-projector",
		"mirror", "rebuild", "--kafka", kafka, "--clickhouse", clickHouse)
	makeMirror(t, clickHouse)
	says(run(0, "--check"), "Nothing was compared: the mirror in use is empty.", "is as it was.\n")
	out := run(0)
	says(out, "Filling", "Comparing the second mirror with the one in use\n", "Swapping the two mirrors\n",
		" is rebuilt.\n", "1 dead letter could be mirrored and left the list.\n")
	says(run(0, "--check"), "events", "1 rows, rebuilt            1  equal\n", " equals the log.\n")
	conn, err := openClickHouse(t.Context(), clickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(t.Context(), "INSERT INTO orders (offset, reason) VALUES (0, 'by hand')", nil, nil); err != nil {
		t.Fatal(err)
	}
	says(run(1, "--check"), "DIFFERENT in 1 partition of the log: orders.events/0\n",
		`reason is "by hand" and should be ""`, "does not equal the log: `holdfast mirror rebuild` replaces it.\n")
	var report analytics.RebuildReport
	out = run(0, "-o", "json", "--anew")
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &report); err != nil || !report.Swapped ||
		report.Differences() != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	says(run(0), " is rebuilt.\n")
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	root := newRootCommand()
	root.SetArgs([]string{"mirror", "rebuild", "--kafka", kafka, "--clickhouse", clickHouse})
	root.SetErr(&bytes.Buffer{})
	if err := root.ExecuteContext(stopped); err == nil {
		t.Error("it was stopped, and ended well")
	}
}

// Where there is no terminal, each phase has a line, and the filling one every few seconds.
func TestARebuildSaysHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newRebuildProgress(&out)
		p.show(analytics.RebuildState{Phase: analytics.RebuildFills})
		for i := range int64(29) { // 7 s
			p.show(analytics.RebuildState{Phase: analytics.RebuildFills, Reached: i * 1_000, End: 60_000})
			time.Sleep(250 * time.Millisecond)
		}
		p.show(analytics.RebuildState{Phase: analytics.RebuildFills, Fault: errors.New("no disk")})
		p.show(analytics.RebuildState{Phase: analytics.RebuildFills, Resumed: true})
		for _, table := range []string{"events", "orders"} {
			p.show(analytics.RebuildState{Phase: analytics.RebuildSwaps, Table: table})
		}
		p.show(analytics.RebuildState{Phase: analytics.RebuildWaits})
		p.show(analytics.RebuildState{Phase: analytics.RebuildDrops})
		p.close()
		const want = `Filling a second mirror
Filling: 12,000 of 60,000 offsets (20 %), 4,000/s, 12s left
Filling: 24,000 of 60,000 offsets (40 %), 4,000/s, 9s left
Filling is tried again: no disk
Going on with the second mirror of an earlier rebuild
Swapping the two mirrors
Waiting until no projector of another version writes for 10 s: stop it now
Dropping the former tables
`
		if out.String() != want {
			t.Errorf("it said:\n%s\nwant:\n%s", &out, want)
		}
	})
}
