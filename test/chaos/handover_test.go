package chaos_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// handedOverWithin is how long a shard may take no command while its owner stops as planned. On a quiet machine that is
// half a second at most; the bound leaves room for a busy one.
const handedOverWithin = 5 * time.Second

const (
	// handOverRate is in orders a second: low, because the test measures how long a hand-over takes, not how much is done.
	handOverRate = 50
	// writeEvery is how often a writer sends a command, when the one before is answered.
	writeEvery = 5 * time.Millisecond
)

// writer sends one command after the other to one SKU through one replica.
type writer struct {
	to      *process
	sku     string
	done    atomic.Int64 // commands that were acknowledged
	refused atomic.Int64 // answers 503; each was sent again
	longest atomic.Int64 // nanoseconds between two acknowledged commands
}

// write sends commands until stop is closed. Each has its key, under which it is sent again when it is answered 503.
func (w *writer) write(t *testing.T, stop <-chan struct{}) {
	last := time.Now()
	next := time.NewTicker(writeEvery)
	defer next.Stop()
	for {
		select {
		case <-stop:
			return
		case <-next.C:
		}
		status, err := w.receive(fmt.Sprintf("%s-%d", w.sku, w.done.Load()))
		switch {
		case err != nil:
			t.Errorf("%s: %v", w.sku, err)
			return
		case status == http.StatusCreated:
			w.done.Add(1)
			w.longest.Store(max(w.longest.Load(), int64(time.Since(last))))
			last = time.Now()
		case status == http.StatusServiceUnavailable:
			w.refused.Add(1)
		case status == http.StatusTooManyRequests: // a machine that is too busy says so at any time
		default:
			t.Errorf("%s: answered %d", w.sku, status)
			return
		}
	}
}

// receive receives one unit.
func (w *writer) receive(key string) (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+w.to.httpAddr+"/v1/stock/"+w.sku+"/receipts",
		strings.NewReader(`{"quantity":1}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// A replica stops as planned, and the other one takes its shards over at once. Clients of that one wait for a moment:
// no command is answered 503, lost or done twice.
func TestAPlannedHandOverMakesClientsWaitForAMoment(t *testing.T) {
	c := startClusterAnywhere(t)
	l := startLoad(t, c.bin, c.orderURLs(), handOverRate)
	for round := range rounds(4, 40) {
		c.awaitShardsShared(t)
		leaver, stayer := c.orders[round%2], c.orders[1-round%2]
		l.awaitAcks(100)
		gap, refused := handOver(t, c, leaver, stayer, round)
		t.Logf("round %d: at most %s between two commands of a shard, %d answers 503", round, gap, refused)
		if gap > handedOverWithin {
			t.Errorf("a planned hand-over took %s", gap)
		}
		if refused > 0 {
			t.Errorf("%d commands were answered 503", refused)
		}
		leaver.start()
		leaver.awaitReady(backWithin)
	}
	l.stop()
	verify(t, c.bin, c.kafka, c.prefix, l.acksPath)
}

// handOver stops a replica while commands for a shard of each replica come through the other one.
func handOver(t *testing.T, c *cluster, leaver, stayer *process, round int) (gap time.Duration, refused int64) {
	t.Helper()
	writers := []*writer{
		{to: stayer, sku: c.skuOwnedBy(t, leaver, fmt.Sprintf("moves-%d", round))},
		{to: stayer, sku: c.skuOwnedBy(t, stayer, fmt.Sprintf("stays-%d", round))},
	}
	stop := make(chan struct{})
	var ended sync.WaitGroup
	end := sync.OnceFunc(func() {
		close(stop)
		ended.Wait()
	})
	defer end()
	for _, w := range writers {
		stayer.change(t, http.MethodPut, "/v1/stock/"+w.sku, "", `{"description":"written"}`, http.StatusOK)
		ended.Go(func() { w.write(t, stop) })
	}
	waitUntil(t, 4*backWithin, func() bool { return min(writers[0].done.Load(), writers[1].done.Load()) > 20 },
		func() string {
			return fmt.Sprintf("%d and %d commands are acknowledged\n%s", writers[0].done.Load(), writers[1].done.Load(),
				stayer.outputTail())
		})
	leaver.signal(syscall.SIGTERM)
	leaver.awaitEnd(stopsWithin)
	stayer.awaitOwnsAll(clusterShards)
	before := writers[0].done.Load()
	waitUntil(t, 4*backWithin, func() bool { return writers[0].done.Load() > before+20 }, func() string {
		return fmt.Sprintf("%d commands are acknowledged after the hand-over\n%s", writers[0].done.Load()-before,
			stayer.outputTail())
	})
	end()
	for _, w := range writers {
		now := stayer.change(t, http.MethodPut, "/v1/stock/"+w.sku, "", `{"description":"written"}`, http.StatusOK)
		if now.OnHand != w.done.Load() {
			t.Errorf("%s: %d commands were acknowledged, and %d are in stock", w.sku, w.done.Load(), now.OnHand)
		}
		gap, refused = max(gap, time.Duration(w.longest.Load())), refused+w.refused.Load()
	}
	return gap, refused
}
