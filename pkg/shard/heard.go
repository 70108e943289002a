package shard

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

const (
	// A replica whose beat is late by pauseFrom was paused, or got no CPU. Clients may have given up meanwhile, and what
	// waits in its sockets may have been refused elsewhere.
	pauseFrom = time.Second
	beatEvery = 250 * time.Millisecond
	// pauseGrace is how long after a pause nothing that is heard counts, so that requests which came during the pause are
	// read before.
	pauseGrace = 500 * time.Millisecond
	// heardUnknown stands for what a replica had heard that does not say so: one of a release before this one.
	heardUnknown = int64(-1)
	// heardNothing is that of a command which was taken before the former generation of the layout: nobody knows whether
	// it was refused meanwhile.
	heardNothing = int64(-2)
)

// Heard is how far a replica knew the announcements of each shard at one moment. A command has that of the moment when
// its request came. A refusal that its owner announced later may be the answer to a later attempt of the same command.
// Nobody changes a Heard, so that taking one costs a command nothing.
type Heard struct {
	generation uint32
	ends       []int64
}

func (h *Heard) of(shard int32) int64 { return h.ends[shard] }

// hearing has what this replica knows of the announcements of all shards: from the topic, from its own commits, and
// from the answers of owners.
type hearing struct {
	generation uint32
	current    atomic.Pointer[Heard]

	mu         sync.Mutex
	ends       []int64 // newer than current after a pause
	beatAt     time.Time
	graceUntil time.Time
}

func newHearing(l eventlog.Layout) *hearing {
	h := &hearing{generation: l.Generation, ends: make([]int64, l.ShardCount), beatAt: time.Now()}
	h.current.Store(&Heard{l.Generation, make([]int64, l.ShardCount)})
	return h
}

// learn notes that the announcements of a shard are known up to an exclusive end.
func (h *hearing) learn(shard int32, end int64) { h.learnAt(time.Now(), shard, end) }

func (h *hearing) learnAt(now time.Time, shard int32, end int64) {
	if end <= h.current.Load().of(shard) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends[shard] = max(h.ends[shard], end)
	h.publish(now)
}

// publish makes what is known count, unless the process was paused just now. mu must be locked.
func (h *hearing) publish(now time.Time) {
	if now.Sub(h.beatAt) >= pauseFrom {
		h.graceUntil = now.Add(pauseGrace)
	}
	if !now.Before(h.graceUntil) && !slices.Equal(h.ends, h.current.Load().ends) {
		h.current.Store(&Heard{h.generation, slices.Clone(h.ends)})
	}
}

// run beats until ctx ends.
func (h *hearing) run(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			h.beat(time.Now())
		}
	}
}

func (h *hearing) beat(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publish(now)
	h.beatAt = now
}

// Heard is what this replica knows now. Whoever takes a request asks for it as soon as the request is there, and puts
// it into the command.
func (n *Node) Heard() *Heard { return n.hearing.current.Load() }

// setHeard notes for a command what its replica knew of the shard.
func (n *Node) setHeard(cmd *Command, shard int32) {
	heard := cmd.Heard
	if heard == nil {
		heard = n.Heard()
	}
	cmd.takenIn = heard.generation
	if heard.generation == n.layout.Generation {
		cmd.heard = heard.of(shard)
		return
	}
	n.setHeardBefore(cmd, shard)
}

// setHeardBefore notes for a command that was taken in the former generation what its replica knows of its shard now,
// but not that the shard had an owner in this generation: so the refusals of the former one bind it.
func (n *Node) setHeardBefore(cmd *Command, shard int32) {
	if cmd.takenIn+1 != n.layout.Generation {
		cmd.heard = heardNothing
		return
	}
	cmd.heard = n.Heard().of(shard)
	if announced := n.refusals[shard].announced.Load(); announced > 0 {
		cmd.heard = min(cmd.heard, announced-1)
	}
}
