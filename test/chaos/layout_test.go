package chaos_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// layoutWriters is how many SKUs are written while the layout changes: one for each partition, about.
const layoutWriters = 12

// setLayout is the command that changes the number of shards.
func (c *cluster) setLayout(shards int) *process {
	return &process{t: c.log.T, path: filepath.Join(c.bin, "holdfast"), args: []string{
		"layout", "set", "--shards", strconv.Itoa(shards), "--yes",
		"--kafka", c.kafka, "--topic-prefix", c.prefix, "--env", c.log.Config.Env,
	}}
}

// changed changes the number of shards, and again after a change that was killed is void.
func (c *cluster) changed(t *testing.T, shards int) {
	t.Helper()
	var said string
	waitUntil(t, 6*backWithin, func() bool {
		set := c.setLayout(shards)
		out, err := exec.Command(set.path, set.args...).CombinedOutput()
		said = string(out)
		return err == nil
	}, func() string { return said })
	t.Logf("%s", said)
}

// written has commands for many SKUs sent through both replicas, until end is called. It returns the longest times
// between two commands of a SKU that were acknowledged, and how many were answered 503.
func (c *cluster) written(t *testing.T, name string) (end func() (gaps []time.Duration, refused int64)) {
	t.Helper()
	stop := make(chan struct{})
	var ended sync.WaitGroup
	var writers []*writer
	for i := range layoutWriters {
		w := &writer{to: c.orders[i%2], sku: fmt.Sprintf("%s-%d", name, i)}
		writers = append(writers, w)
		w.to.change(t, http.MethodPut, "/v1/stock/"+w.sku, "", `{"description":"written"}`, http.StatusOK)
		ended.Go(func() { w.write(t, stop) })
	}
	waitForAll := func(more int64) {
		before := make([]int64, len(writers))
		for i, w := range writers {
			before[i] = w.done.Load()
		}
		waitUntil(t, 4*backWithin, func() bool {
			for i, w := range writers {
				if w.done.Load() < before[i]+more {
					return false
				}
			}
			return true
		}, func() string { return "a writer does not go on\n" + c.orders[0].outputTail() })
	}
	waitForAll(20)
	return func() (gaps []time.Duration, refused int64) {
		waitForAll(20)
		close(stop)
		ended.Wait()
		for _, w := range writers {
			now := w.to.change(t, http.MethodPut, "/v1/stock/"+w.sku, "", `{"description":"written"}`, http.StatusOK)
			if now.OnHand != w.done.Load() {
				t.Errorf("%s: %d commands were acknowledged, and %d are in stock", w.sku, w.done.Load(), now.OnHand)
			}
			gaps, refused = append(gaps, time.Duration(w.longest.Load())), refused+w.refused.Load()
		}
		slices.Sort(gaps)
		return gaps, refused
	}
}

// The number of shards changes under load, up and down. Clients wait for a moment, nothing that was acknowledged is
// lost, nothing is sold twice.
func TestTheNumberOfShardsChangesUnderLoad(t *testing.T) {
	c := startClusterAnywhere(t)
	l := startLoad(t, c.bin, c.orderURLs(), handOverRate)
	l.awaitAcks(100)
	for round, shards := range []int{6, 3, 12, clusterShards}[:rounds(2, 4)] {
		end := c.written(t, fmt.Sprint("round-", round))
		c.changed(t, shards)
		gaps, refused := end()
		longest := gaps[len(gaps)-1]
		t.Logf("%d shards: a SKU was without service for %s (median), %s at most; %d answers 503", shards,
			gaps[len(gaps)/2], longest, refused)
		if longest > handedOverWithin {
			t.Errorf("a shard was not served for %s", longest)
		}
		if refused > 0 {
			t.Errorf("%d commands were answered 503", refused)
		}
	}
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
}

// A change whose maker is killed is void, or goes on without it; another process that makes one meanwhile is refused;
// and a replica that is killed meanwhile costs no more than its session timeout.
func TestAChangeOfTheLayoutIsKilled(t *testing.T) {
	c := startClusterAnywhere(t)
	l := startLoad(t, c.bin, c.orderURLs(), handOverRate)
	l.awaitAcks(100)
	generation := func() uint32 {
		layout, err := c.log.Client.ReadLayout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return layout.Generation
	}
	for round := range rounds(2, 10) {
		shards, before := 5-2*(round%2), generation()
		maker := c.setLayout(shards)
		maker.start()
		begun := func() bool { // in every other round, when the layout counts already
			plan, err := c.log.Client.PlanOf(t.Context())
			return err == nil && plan != nil && round%2 == 0 || generation() > before
		}
		waitUntil(t, backWithin, begun, maker.outputTail)
		if generation() == before {
			other := c.setLayout(7)
			out, err := exec.Command(other.path, other.args...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "is changing the layout from") {
				t.Errorf("a second change: %v\n%s", err, out)
			}
		}
		maker.kill()
		c.orders[round%2].kill()
		killed := time.Now()
		c.orders[round%2].start()
		c.orders[round%2].awaitReady(4 * backWithin)
		c.changed(t, shards)
		l.awaitAcks(100)
		t.Logf("round %d: changed %s after the kill, from generation %d to %d", round, time.Since(killed), before,
			generation())
		if layout, err := c.log.Client.ReadLayout(t.Context()); err != nil || layout.ShardCount != int32(shards) {
			t.Errorf("the layout is %+v: %v", layout, err)
		}
	}
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
	if _, err := c.log.Client.EnsurePlatform(t.Context(), eventlog.Layout{PartitionCount: 12, ShardCount: 1}); err != nil {
		t.Error(err)
	}
}
