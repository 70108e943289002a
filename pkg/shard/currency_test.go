package shard

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// Given a process that noted when its checkpoints were current, when the next one starts, then they are late, and not
// old, for a minute; under another layout, or with a file that cannot be read, none is.
func TestTheNextProcessKnowsWhatWasCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, layout := t.TempDir(), eventlog.Layout{Generation: 3, PartitionCount: 4, ShardCount: 2}
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, nil))
		before := loadCurrency(dir, layout, log)
		before.note(1, time.Now())
		before.note(1, time.Now().Add(-time.Hour)) // what comes late does not count
		before.save()
		late := func(l eventlog.Layout) (n int) {
			c := loadCurrency(dir, l, log)
			for shard := range l.ShardCount {
				if c.lately(shard) {
					n++
				}
			}
			return n
		}
		if n := late(layout); n != 1 || !loadCurrency(dir, layout, log).lately(1) {
			t.Errorf("%d checkpoints are late, want that of shard 1", n)
		}
		for _, other := range []eventlog.Layout{{Generation: 4, ShardCount: 2}, {Generation: 3, ShardCount: 3}} {
			if n := late(other); n > 0 {
				t.Errorf("%d checkpoints of %+v are late", n, other)
			}
		}
		time.Sleep(lateFor)
		if n := late(layout); n > 0 {
			t.Errorf("%d checkpoints are late after a minute", n)
		}
		if err := os.WriteFile(filepath.Join(dir, currencyFile), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := late(layout); n > 0 || said.Len() > 0 {
			t.Errorf("%d checkpoints of a file that cannot be read are late; it says %s", n, &said)
		}
		loadCurrency(filepath.Join(dir, "gone"), layout, log).save()
		if !strings.Contains(said.String(), "when the checkpoints were current is not noted") {
			t.Errorf("it says %q", &said)
		}
	})
}

// Given the checkpoint of a shard that this replica does not keep, then it is deleted after a while, unless the replica
// is to keep it again before.
func TestACheckpointThatNobodyWantsIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{layout: eventlog.Layout{Generation: 1, PartitionCount: 4, ShardCount: 2}}
		n.cfg.DataDir, n.log = t.TempDir(), slog.New(slog.DiscardHandler)
		dir := filepath.Join(n.cfg.DataDir, checkpoint.Folder(1, 0))
		if err := os.MkdirAll(filepath.Join(dir, "tables"), 0o700); err != nil {
			t.Fatal(err)
		}
		wanted, cancel := context.WithTimeout(t.Context(), forgetAfter-time.Second)
		defer cancel()
		n.forget(wanted, 0)
		if !exists(dir) {
			t.Error("a checkpoint is gone that is wanted again")
		}
		n.forget(t.Context(), 0)
		if exists(dir) {
			t.Error("it is there still")
		}
		n.forget(t.Context(), 1) // there is none
	})
}

// The group is told when all standbys for which it waits are current, or some and the others take long.
func TestWhenTheGroupIsToldOfCurrentStandbys(t *testing.T) {
	current := func(shards ...int32) func(int32) bool {
		return func(shard int32) bool { return slices.Contains(shards, shard) }
	}
	for name, test := range map[string]struct {
		awaited []int32
		current func(int32) bool
		waiting time.Duration
		want    bool
	}{
		"none is awaited":          {nil, current(1, 2), time.Hour, false},
		"none is current":          {[]int32{1, 2}, current(3), time.Hour, false},
		"some are":                 {[]int32{1, 2}, current(1), time.Second, false},
		"some are, and it is long": {[]int32{1, 2}, current(1), reportAfter + 1, true},
		"all are":                  {[]int32{1, 2}, current(1, 2), 0, true},
	} {
		if got := reportDue(test.awaited, test.current, test.waiting); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
