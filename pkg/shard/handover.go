package shard

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/problem"
)

const (
	// handOverWait is how long a shard may be without an owner while commands wait for the next one. Then they are
	// answered 503, and those that come later at once, until there is an owner.
	handOverWait = 5 * time.Second
	// askAgainEvery is how often commands that wait are sent to the owner that is known: that one may have been out of
	// reach for a moment only, and then it does not announce itself again.
	askAgainEvery = time.Second
)

// handOver has the commands of one shard that wait for its next owner: those that came while there was none, and those
// that an owner gave back.
//
// A command that waits was not tried, or its client may try it again because it has a key: then the next owner finds in
// the log whether it was done. It carries what its replica had heard when it came (Heard), however long it waits: if
// its client gives up, tries again and is refused, the one that waits is bound by that.
type handOver struct {
	node  *Node
	shard int32

	// since is when it was seen to have no owner, in Unix nanoseconds; 0: it has one, as far as this replica knows.
	since atomic.Int64

	mu       sync.Mutex
	former   string // the owner that has given it up, or cannot be reached; empty: none is known
	commands []*commandInput
	timer    *time.Timer // nil: nothing waits
	closed   bool
}

func newHandOvers(n *Node, shards int32) []*handOver {
	all := make([]*handOver, shards)
	for shard := range all {
		all[shard] = &handOver{node: n, shard: int32(shard)}
	}
	return all
}

// keeps has a command wait if the shard is known to have had no owner for less than handOverWait.
func (h *handOver) keeps(in *commandInput) bool {
	if since := h.since.Load(); since == 0 || sinceNanos(time.Now(), since) >= handOverWait {
		return false
	}
	h.add(in, "", noOwner(h.shard))
	return true
}

// add has a command wait for the shard's next owner, after former where that one has given it back or is out of reach.
// A command that cannot wait, or has waited for long, is answered with the result.
func (h *handOver) add(in *commandInput, former string, res Result) {
	if in.waitsUntil.IsZero() {
		in.waitsUntil = time.Now().Add(handOverWait)
	}
	waits, res := h.put(in, former, res)
	if !waits {
		h.node.moveOn(in, res)
	} else if h.ownerKnown(in) { // it came while the command came back
		h.end()
		h.send()
	}
}

func (h *handOver) put(in *commandInput, former string, res Result) (waits bool, _ Result) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if former != "" {
		h.former = former
	}
	h.since.CompareAndSwap(0, now.UnixNano())
	switch {
	case h.closed, sinceNanos(now, h.since.Load()) >= handOverWait, !now.Before(in.waitsUntil):
		return false, res
	case len(h.commands) >= MaxQueued:
		h.node.metrics.refusedFull.Inc()
		return false, Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1, Detail: fmt.Sprintf(
			"%d commands wait for the shard's next owner; retry later with the same key", MaxQueued)}
	}
	h.commands = append(h.commands, in)
	if h.timer == nil {
		h.timer = time.AfterFunc(askAgainEvery, h.askAgain)
	}
	return true, res
}

// ownerKnown reports whether the shard has an owner that a command can go to, other than the one that has given it up.
// That of another replica goes nowhere else.
func (h *handOver) ownerKnown(in *commandInput) bool {
	if h.node.Owns(h.shard) || in.fromPeer {
		return h.node.Owns(h.shard)
	}
	owner, err := h.node.owners.lookup(h.shard)
	h.mu.Lock()
	defer h.mu.Unlock()
	return err == nil && owner.id != h.former
}

// end notes that the shard has an owner. It reports whether it had none.
func (h *handOver) end() bool {
	since := h.since.Load()
	return since != 0 && h.endOf(since)
}

// endOf notes that the shard has an owner after the break that began then. It reports whether nobody has noted it yet.
func (h *handOver) endOf(since int64) bool {
	if !h.since.CompareAndSwap(since, 0) {
		return false
	}
	h.node.metrics.handOverSeconds.Observe(sinceNanos(time.Now(), since).Seconds())
	return true
}

// hasOwner sends all that waits to the shard's new owner: commands, and the steps of orders of this replica's shards.
func (h *handOver) hasOwner() {
	h.end()
	h.send()
	for shard := range h.node.runners {
		if r := h.node.takesMessages(uint32(shard)); r != nil {
			h.node.enqueueMessage(r, &ownerInput{shard: h.shard})
		}
	}
}

// served notes that the shard's owner has answered a command, and sends it all that waits.
func (h *handOver) served() {
	if h.end() {
		h.send()
	}
}

// serves notes that the shard's owner, asked at that time, said that it serves the shard. A break after which no
// command came is over then, and commands of the next hand-over wait.
func (h *handOver) serves(asked time.Time) {
	since := h.since.Load()
	if since != 0 && since < asked.UnixNano() && h.endOf(since) {
		h.send()
	}
}

// askAgain sends all that waits to the owner that is known, or answers it if there has been none for long.
func (h *handOver) askAgain() {
	if sinceNanos(time.Now(), h.since.Load()) >= handOverWait {
		h.answer(noOwner(h.shard))
		return
	}
	h.send()
}

func (h *handOver) send() {
	for _, in := range h.take() {
		h.node.submit(h.shard, in)
	}
}

func (h *handOver) answer(res Result) {
	for _, in := range h.take() {
		in.abandon(res)
	}
}

// take removes all that waits.
func (h *handOver) take() []*commandInput {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	commands := h.commands
	h.commands = nil
	return commands
}

// close answers all that waits, because this replica stops.
func (h *handOver) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for _, in := range h.take() {
		h.node.moveOn(in, handedOver("this replica is stopping: retry with the same Idempotency-Key"))
	}
}

// moveOn has the successor of a node decide a command that waits there, or answers it where there is none. A command of
// another replica goes back: that one moves it on by itself.
func (n *Node) moveOn(in *commandInput, res Result) {
	next := n.successor.Load()
	if next == nil || in.fromPeer || !time.Now().Before(in.waitsUntil) {
		in.abandon(res)
		return
	}
	shard := next.ShardOf(in.cmd.ID)
	next.setHeardBefore(in.cmd, shard)
	next.submit(shard, in)
}

// errNoOwner says that no replica has announced itself as the owner of a shard, or none since this one was it.
var errNoOwner = errors.New("has no owner yet")

func noOwner(shard int32) Result {
	return unavailable(fmt.Sprintf("shard %d %s: retry with the same Idempotency-Key", shard, errNoOwner))
}

// handedOver answers a command that its shard did not try, or that it knows by its key, because it changes hands. A
// replica that gets it from another one sends the command to the next owner.
func handedOver(detail string) Result {
	res := unavailable(detail)
	res.HandedOver = true
	return res
}

// giveBack has a command that was not decided wait for the shard's next owner. One of another replica waits there.
// Those of streams are answered: what came behind them must not overtake them.
func (n *Node) giveBack(shard int32, in *commandInput, res Result) {
	if in.fromPeer || in.cmd == nil || in.cmd.Stream != 0 {
		in.abandon(res)
		return
	}
	n.handOvers[shard].add(in, "", res)
}

// giveBackWaiter has the command of an order, which was accepted, ask the shard's next owner for the outcome: the order
// is known by its key there.
func (n *Node) giveBackWaiter(shard int32, w waiter, res Result) {
	if w.fut.fromPeer { // that replica asks by itself
		w.fut.finish(res)
		return
	}
	in := newCommandInput(w.cmd)
	in.notify = func(final bool, res Result) {
		if final {
			w.fut.finish(res)
		}
	}
	n.handOvers[shard].add(in, "", res)
}
