package shard

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// How readiness is told.
const (
	// healthEvery is how often a replica looks whether each shard is served, and asks those that serve the others.
	healthEvery = time.Second
	// askTimeout bounds how long another replica, or a broker, may take to answer.
	askTimeout = 2 * time.Second
	// stalledAfter is how long a commit, or one turn of a shard's loop, may take.
	stalledAfter = 5 * time.Second
	// unservedAfter is how long a shard may change hands before that counts.
	unservedAfter = 2 * time.Second
	// brokersSilentAfter is how long all Kafka brokers may be silent.
	brokersSilentAfter = 10 * time.Second
)

// pulse shows from outside whether a runner goes on. Times are Unix nanoseconds.
type pulse struct {
	turn        atomic.Int64 // the last turn of its loop; 0: it does not run yet
	commitBegan atomic.Int64 // the commit that is under way; 0: none is
	lastCommit  atomic.Int64 // the end of the last commit
	unsettled   atomic.Int64 // since when the oldest order waits for stock of other shards; 0: none does
}

func (p *pulse) turned(at time.Time)      { p.turn.Store(at.UnixNano()) }
func (p *pulse) beginCommit(at time.Time) { p.commitBegan.Store(at.UnixNano()) }
func (p *pulse) endCommit(at time.Time) {
	p.lastCommit.Store(at.UnixNano())
	p.commitBegan.Store(0)
}

// stalled is nil while the runner goes on.
func (p *pulse) stalled(now time.Time) error {
	if took := sinceNanos(now, p.commitBegan.Load()); took > stalledAfter {
		return fmt.Errorf("its commit has been under way for %s: Kafka does not answer", took.Round(time.Second))
	}
	if took := sinceNanos(now, p.turn.Load()); took > stalledAfter {
		return fmt.Errorf("it has not gone on for %s: its disk, or this machine, is stuck", took.Round(time.Second))
	}
	return nil
}

// sinceNanos is how long ago a time was; 0 for no time.
func sinceNanos(now time.Time, nanos int64) time.Duration {
	if nanos == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, nanos))
}

// shardHealth is what this replica knows of whether a shard is served, as of at most a second ago.
type shardHealth struct {
	mu    sync.Mutex
	owner string    // address of the replica that was asked; empty: this one, or none
	err   error     // why it is not served; nil: it is
	since time.Time // of err
	told  bool      // that it is not served
}

func (h *shardHealth) note(owner string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if (err == nil) != (h.err == nil) {
		h.since = time.Now()
	}
	h.owner, h.err = owner, err
}

// served reports whether somebody serves the shard.
func (h *shardHealth) served() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err == nil
}

// unserved is why a shard has not been served for a while; nil: it is, or has been a moment ago.
func (h *shardHealth) unserved() (since time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || time.Since(h.since) < unservedAfter {
		return time.Time{}, nil
	}
	return h.since, h.err
}

// toTell is what to log, once, of a shard that is not served any more, or is again; "": nothing.
func (h *shardHealth) toTell() (line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	unserved := h.err != nil && time.Since(h.since) >= unservedAfter
	switch {
	case unserved && !h.told:
		line = "a shard is not served"
	case h.err == nil && h.told:
		line = "a shard is served again"
	default:
		return ""
	}
	h.told = unserved
	return line
}

// UnservedError says that nobody serves a shard: commands for its orders and items wait, and are answered 503
// after handOverWait. Those for other shards are not concerned.
type UnservedError struct {
	Shard int32
	Since time.Time
	Err   error
}

// Error implements error.
func (e *UnservedError) Error() string {
	return fmt.Sprintf("shard %d is not served since %s: %v", e.Shard, e.Since.UTC().Format(time.RFC3339), e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *UnservedError) Unwrap() error { return e.Err }

// Partial marks an error that concerns a part of what the process serves.
func (*UnservedError) Partial() {}

// watchHealth looks whether each shard is served, until ctx ends.
func (n *Node) watchHealth(ctx context.Context) {
	var saved time.Time
	for backoff.Sleep(ctx, healthEvery) == nil {
		n.checkShards(ctx)
		if time.Since(saved) >= saveCurrencyEvery {
			n.saveCurrency()
			saved = time.Now()
		}
	}
}

func (n *Node) checkShards(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var asked sync.WaitGroup
	owners := map[string]bool{}
	for shard := range n.layout.ShardCount {
		owner, err := "", n.unservedHere(shard)
		if errors.Is(err, errElsewhere) {
			if owner, err = n.owners.address(shard); err == nil {
				owners[owner] = true
				asked.Go(func() { n.noteHealth(shard, owner, n.ask(ctx, owner, shard)) })
				continue
			}
		}
		n.noteHealth(shard, owner, err)
	}
	asked.Wait()
	n.peers.Forget(owners)
}

// ask asks another replica whether it serves a shard. nil: it does.
func (n *Node) ask(ctx context.Context, owner string, shard int32) error {
	asked := time.Now()
	err := n.peers.Serves(ctx, owner, shard)
	if err == nil {
		n.handOvers[shard].serves(asked)
	}
	return err
}

// errElsewhere says that a shard is another replica's.
var errElsewhere = errors.New("another replica serves it")

// unservedHere is why a shard that is this replica's is not served; nil: it is. errElsewhere: it is not this replica's.
func (n *Node) unservedHere(shard int32) error {
	if r := n.runners[shard].Load(); r != nil {
		return r.pulse.stalled(time.Now())
	}
	if !n.group.Owned(shard) {
		return errElsewhere
	}
	return errors.New("it " + n.takingOver(shard))
}

// noteHealth notes whether a shard is served, and tells other replicas of this one's shards.
func (n *Node) noteHealth(shard int32, owner string, err error) {
	label, here := strconv.Itoa(int(shard)), n.Owns(shard)
	n.peers.SetServing(shard, here && err == nil)
	n.metrics.served.WithLabelValues(label).Set(gauge(err == nil))
	n.metrics.serving.WithLabelValues(label).Set(gauge(here))
	n.metrics.noteRunner(label, n.runners[shard].Load())
	told := n.group.Standbys()
	n.metrics.noteStandby(label, n.standbyCurrent[shard].Load(), told.All || len(told.Shards) > 0)
	h := &n.health[shard]
	if here {
		n.current.note(shard, time.Now())
	}
	h.note(owner, err)
	switch line := h.toTell(); {
	case line == "":
	case err == nil:
		n.log.Info(line, "shard", shard)
	default:
		n.log.Warn(line+": its commands wait for a few seconds, and are answered 503 then", "shard", shard, "error", err)
	}
}

func gauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// watchBrokers asks the brokers whether they are there, until ctx ends.
func (n *Node) watchBrokers(ctx context.Context) {
	var silent time.Time // since when no broker answers; zero: one does
	for {
		ask, cancel := context.WithTimeout(ctx, askTimeout)
		err := n.client.Ping(ask)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && silent.IsZero():
			silent = time.Now()
			n.log.Error("no Kafka broker answers: commands are answered 503 until one does", "error", err)
		case err == nil && !silent.IsZero():
			n.log.Info("Kafka answers again", "after", time.Since(silent).Round(time.Millisecond).String())
			silent = time.Time{}
		}
		if err == nil {
			n.brokersAnswered.Store(time.Now().UnixNano())
		}
		if backoff.Sleep(ctx, healthEvery) != nil {
			return
		}
	}
}

// brokersSilent is an error when no Kafka broker has answered for a while.
func (n *Node) brokersSilent() error {
	if silent := sinceNanos(time.Now(), n.brokersAnswered.Load()); silent > brokersSilentAfter {
		return fmt.Errorf("no Kafka broker has answered for %s; check that they run, and that this machine reaches them "+
			"at %v", silent.Round(time.Second), n.cfg.Log.Seeds)
	}
	return nil
}

// Status is what this replica knows of a shard.
type Status struct {
	Shard  int32 `json:"shard"`
	Served bool  `json:"served"`
	// Owner is the replica that serves it: its address, or "self"; empty: nobody is known to.
	Owner string `json:"owner,omitzero"`
	// LastCommitAgeMs is how long ago this replica's last commit ended. An idle shard commits once a minute.
	LastCommitAgeMs int64  `json:"last_commit_age_ms,omitzero"`
	Reason          string `json:"reason,omitzero"`
}

// Shards says of each shard whether it is served, and by whom, as of at most a second ago.
func (n *Node) Shards() []Status {
	all := make([]Status, n.layout.ShardCount)
	for shard := range n.layout.ShardCount {
		h := &n.health[shard]
		h.mu.Lock()
		s := Status{Shard: shard, Served: h.err == nil, Owner: h.owner}
		if h.err != nil {
			s.Reason = h.err.Error()
		}
		h.mu.Unlock()
		if r := n.runners[shard].Load(); r != nil {
			s.Owner = "self"
			s.LastCommitAgeMs = sinceNanos(time.Now(), r.pulse.lastCommit.Load()).Milliseconds()
		}
		all[shard] = s
	}
	return all
}
