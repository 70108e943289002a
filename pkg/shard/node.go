package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Node is one replica of the write side. It owns some shards, and hands commands for the others to
// their owners. Any replica takes any command.
type Node struct {
	cfg     Config
	log     *slog.Logger
	client  *eventlog.Client
	layout  eventlog.Layout
	group   *eventlog.Ownership
	peers   *peers
	metrics *metrics
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex
	owned    map[int32]*ownership
	standbys map[int32]*ownership // of shards that are not owned
	closing  bool
	runners  []atomic.Pointer[runner] // by shard; nil: not serving here
	faults   map[int32]error          // shards that cannot be served until someone mends them

	// restoring is, by shard, how many records of the log a restore here has still to read; 0: none is under way.
	restoring []atomic.Int64
	started   atomic.Bool // the shards that were given first are served
}

// StoppedError says that a shard has stopped until someone mends what is in its way: time does not heal it.
type StoppedError struct {
	Shard int32
	Err   error
}

// Error implements error.
func (e *StoppedError) Error() string { return fmt.Sprintf("shard %d has stopped: %v", e.Shard, e.Err) }

// Unwrap implements errors.Unwrap.
func (e *StoppedError) Unwrap() error { return e.Err }

// Permanent marks an error that time does not heal.
func (*StoppedError) Permanent() {}

// ownership is the time from when the group gives a shard to when it takes it away; also that of a standby in between.
type ownership struct {
	cancel  context.CancelFunc
	stopped chan struct{}
}

type metrics struct {
	commitSeconds, batchEvents       prometheus.Histogram
	resends, reconciled, refusedFull prometheus.Counter
	dropped                          *prometheus.CounterVec // by queue
	acquires                         *prometheus.CounterVec
	restored                         prometheus.Counter
	ownedShards                      prometheus.Gauge
	standbyLag                       *prometheus.GaugeVec // by shard
}

// Queues that may have no room for a message, in metrics.
const (
	queueOfShard = "shard"
	queueOfPeer  = "peer"
)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_commit_seconds", Help: "Time of one transaction of a shard.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_shard_batch_events", Help: "Events in one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 16)}),
		resends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_steps_resent_total", Help: "Steps between shards that were sent again."}),
		reconciled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_reconciled_total", Help: "Differences between orders and stock that were found and mended; 0 on Apache Kafka."}),
		refusedFull: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_queue_full_total", Help: "Commands refused because the queue of their shard, or of the replica that serves it, was full."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_shard_messages_dropped_total",
			Help: "Messages between shards that found no room and are sent again later, by queue: of the shard that they were for, or of the replica that serves it."}, []string{"queue"}),
		acquires: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_shard_acquires_total", Help: "Attempts to take over a shard, by result."}, []string{"result"}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_shard_restored_records_total", Help: "Records of the log that were read to take shards over."}),
		standbyLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_shard_standby_lag_records",
			Help: "Offsets between the checkpoint of a shard that another replica serves and the log, when it last began to follow."}, []string{"shard"}),
		ownedShards: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_shard_owned", Help: "Shards that this replica serves."}),
	}
	for _, queue := range []string{queueOfShard, queueOfPeer} {
		m.dropped.WithLabelValues(queue) // 0 from the start
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.commitSeconds, m.batchEvents, m.resends, m.reconciled, m.refusedFull, m.dropped, m.acquires, m.restored, m.standbyLag, m.ownedShards} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the shard metrics: %w", err)
		}
	}
	return m, nil
}

// Start joins the platform, creating it when it is empty, and returns at once; Ready tells when it can be used.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Decode == nil || cfg.DataDir == "" {
		return nil, errors.New("shard: Config needs Decode and DataDir")
	}
	if cfg.StandbyEvery < 0 {
		return nil, fmt.Errorf("a standby cannot follow the log every %s; 0 turns standbys off", cfg.StandbyEvery)
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	client, err := eventlog.Open(cfg.Log)
	if err != nil {
		return nil, err
	}
	cfg.Log = client.Config() // with the certificates that it has read: writers are opened long after
	n := &Node{cfg: cfg, log: cfg.Logger, client: client, metrics: m, owned: map[int32]*ownership{}, standbys: map[int32]*ownership{}, faults: map[int32]error{}}
	if err := n.join(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) join(ctx context.Context) error {
	var err error
	if n.layout, err = n.client.EnsurePlatform(ctx, n.cfg.Want); err != nil {
		return err
	}
	n.runners = make([]atomic.Pointer[runner], n.layout.ShardCount)
	n.restoring = make([]atomic.Int64, n.layout.ShardCount)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	if n.peers, err = startPeers(run, n); err != nil {
		cancel()
		return err
	}
	n.group, err = eventlog.JoinOwnership(n.cfg.Log, eventlog.OwnershipOptions{SessionTimeout: n.cfg.SessionTimeout, ShardCount: n.layout.ShardCount})
	if err != nil {
		n.peers.close()
		cancel()
		return err
	}
	n.done.Add(1)
	go n.follow(run)
	n.mu.Lock()
	defer n.mu.Unlock()
	for shard := range n.layout.ShardCount {
		if n.owned[shard] == nil {
			n.startStandby(run, shard)
		}
	}
	return nil
}

// follow takes and gives up shards as the group says.
func (n *Node) follow(ctx context.Context) {
	defer n.done.Done()
	for ev := range n.group.Events() {
		if ev.Owned {
			n.take(ctx, ev.Shard)
		} else {
			n.give(ev.Shard)
		}
	}
}

func (n *Node) take(ctx context.Context, shard int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, standby := n.owned[shard], n.standbys[shard]
	delete(n.standbys, shard)
	held, cancel := context.WithCancel(ctx)
	o := &ownership{cancel: cancel, stopped: make(chan struct{})}
	n.owned[shard] = o
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		// The checkpoint has one user at a time.
		for _, other := range []*ownership{before, standby} {
			if other != nil {
				other.cancel()
				<-other.stopped
			}
		}
		n.hold(held, shard)
		close(o.stopped)
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.owned[shard] == o && n.faults[shard] == nil {
			n.startStandby(ctx, shard)
		}
	}()
}

func (n *Node) give(shard int32) {
	n.mu.Lock()
	o := n.owned[shard]
	n.mu.Unlock()
	if o != nil {
		o.cancel()
	}
}

// hold acquires and serves a shard for as long as the group leaves it to this replica.
func (n *Node) hold(ctx context.Context, shard int32) {
	for ctx.Err() == nil {
		err := n.serveOnce(ctx, shard)
		if ctx.Err() != nil {
			return
		}
		var bad *badEventError
		if errors.As(err, &bad) || errors.Is(err, eventlog.ErrLayoutMoved) {
			n.setFault(shard, err)
			n.log.Error("the shard stops", "shard", shard, "error", err)
			return
		}
		n.log.Warn("the shard is lost or not to be had; asking the group before trying again", "shard", shard, "error", err)
		if !n.stillOurs(ctx, shard) {
			n.log.Info("the shard belongs to another replica", "shard", shard)
			return
		}
	}
}

// stillOurs asks the group, after an error, whether the shard is still this replica's. A fenced owner
// that acquired on its own would fence the new one in turn.
func (n *Node) stillOurs(ctx context.Context, shard int32) bool {
	for {
		if eventlog.Sleep(ctx, reacquireBackoff) != nil {
			return false
		}
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		ours, err := n.group.Confirm(ask, shard)
		cancel()
		if err == nil {
			// Not ours any more: the group's event will say so, and give it again if it comes back.
			return ours
		}
		n.log.Warn("ask the group for the owner", "shard", shard, "error", err)
	}
}

// serveOnce is one acquisition and what follows it.
func (n *Node) serveOnce(ctx context.Context, shard int32) error {
	r, err := n.acquire(ctx, shard)
	if err != nil {
		n.metrics.acquires.WithLabelValues("failed").Inc()
		return err
	}
	n.metrics.acquires.WithLabelValues("acquired").Inc()
	n.metrics.ownedShards.Inc()
	go func() {
		select {
		case <-ctx.Done():
			close(r.stop)
		case <-r.stopped:
		}
	}()
	err = r.serve()
	n.runners[shard].CompareAndSwap(r, nil)
	r.release()
	n.metrics.ownedShards.Dec()
	return err
}

func (n *Node) setFault(shard int32, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[shard] = err
}

// Owns reports whether this replica serves the shard.
func (n *Node) Owns(shard int32) bool { return n.runners[shard].Load() != nil }

// OwnedShards is how many shards this replica serves.
func (n *Node) OwnedShards() int {
	owned := 0
	for shard := range n.layout.ShardCount {
		if n.Owns(shard) {
			owned++
		}
	}
	return owned
}

// ShardOf is the shard that writes an aggregate.
func (n *Node) ShardOf(id string) int32 {
	return n.layout.ShardOf(eventlog.PartitionFor(id, n.layout.PartitionCount))
}

// Ready is nil once this replica serves the shards that it was given first, and while every shard is served, here or by
// a replica that is known. A shard that has stopped for good is a *StoppedError.
func (n *Node) Ready() error {
	if err := n.stoppedShards(); err != nil {
		return err
	}
	if err := n.starting(); err != nil {
		return err
	}
	for shard := range n.layout.ShardCount {
		if n.Owns(shard) {
			continue
		}
		if _, err := n.peers.owner(shard); err != nil {
			return err
		}
	}
	return nil
}

// starting is nil once this replica serves the shards that it was given first: until then the owner that is known may be
// one that is gone. What it is given later it takes over while it serves the others, and stays ready. One that joins others
// is given nothing at first, since they must let go of their shards before; it is ready to hand commands to them.
func (n *Node) starting() error {
	if n.started.Load() {
		return nil
	}
	if !n.group.Joined() {
		return errors.New("the group has not said yet which shards are this replica's")
	}
	for shard := range n.layout.ShardCount {
		if !n.group.Owned(shard) || n.Owns(shard) {
			continue
		}
		if left := n.restoring[shard].Load(); left > 0 {
			return fmt.Errorf("shard %d is being restored: %d records of the log to go", shard, left)
		}
		return fmt.Errorf("shard %d is being taken over", shard)
	}
	n.started.Store(true)
	return nil
}

// tellRestoring notes how many records of the log are left to read before a shard is served.
func (n *Node) tellRestoring(shard int32, left int64) {
	n.restoring[shard].Store(left)
	n.cfg.Hooks.acquire(shard, "read")
}

func (n *Node) stoppedShards() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, shard := range slices.Sorted(maps.Keys(n.faults)) {
		errs = append(errs, &StoppedError{shard, n.faults[shard]})
	}
	return errors.Join(errs...)
}

// Submit hands a command to its shard's owner. It never blocks; the future is answered in any case.
func (n *Node) Submit(cmd *Command) *Future {
	fut := NewFuture()
	shard := n.ShardOf(cmd.ID)
	if r := n.runners[shard].Load(); r != nil {
		n.enqueue(r.in, cmd, fut)
		return fut
	}
	n.peers.submit(shard, cmd, fut)
	return fut
}

// SubmitBehind is Submit for a command that must not overtake the previous one on its aggregate, which need not have
// an outcome yet. It goes into the queue that took that one, or is refused with it: whoever the shard belongs to by
// now, it runs nowhere else. nil: no queue of this replica took the previous one, which is to be waited for.
func (n *Node) SubmitBehind(previous *Future, cmd *Command) *Future {
	if previous.queue == nil {
		return nil
	}
	fut := NewFuture()
	n.enqueue(previous.queue, cmd, fut)
	return fut
}

// enqueue puts a command into a shard's queue, or answers that there is no room.
func (n *Node) enqueue(queue *inbox, cmd *Command, fut *Future) {
	fut.queue = queue
	ok, full := queue.put(input{cmd: cmd, fut: fut})
	switch {
	case ok:
	case full:
		n.metrics.refusedFull.Inc()
		fut.finish(Result{Code: CodeTooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("the shard has %d commands waiting; retry later with the same key", MaxQueued)})
	default:
		fut.finish(unavailable("the shard is changing hands: retry with the same Idempotency-Key"))
	}
}

// pass puts a message of another shard into a shard's queue, or drops it, to come again.
func (n *Node) pass(r *runner, message input) {
	if _, full := r.in.put(message); full {
		n.metrics.dropped.WithLabelValues(queueOfShard).Inc()
	}
}

// sendStep delivers a step to its target's shard, here or at a peer; it may be lost.
func (n *Node) sendStep(req stepRequest) {
	n.cfg.Hooks.deliver(func() {
		if r := n.runners[req.TargetShard].Load(); r != nil {
			n.pass(r, input{step: req, reply: n.answerHere})
			return
		}
		n.peers.sendStep(req)
	})
}

// answerHere delivers an answer to a shard of this replica.
func (n *Node) answerHere(resp stepResponse) {
	n.cfg.Hooks.deliver(func() {
		if r := n.runners[resp.SourceShard].Load(); r != nil {
			n.pass(r, input{answer: resp})
		}
	})
}

// sendQuery delivers a query to the order's shard, here or at a peer; it may be lost.
func (n *Node) sendQuery(q query) {
	n.cfg.Hooks.deliver(func() {
		if r := n.runners[q.TargetShard].Load(); r != nil {
			n.pass(r, input{query: q, queryReply: n.queryAnswerHere})
			return
		}
		n.peers.sendQuery(q)
	})
}

func (n *Node) queryAnswerHere(a queryResponse) {
	if int(a.SourceShard) >= len(n.runners) {
		return
	}
	n.cfg.Hooks.deliver(func() {
		if r := n.runners[a.SourceShard].Load(); r != nil {
			n.pass(r, input{queryAnswer: a})
		}
	})
}

// address is where peers reach this replica.
func (n *Node) address() string { return n.peers.address }

// endCommits gives up commits that no broker answers; what became of them the next owner finds in the log.
func (n *Node) endCommits() {
	for shard := range n.runners {
		if r := n.runners[shard].Load(); r != nil {
			r.w.Close()
		}
	}
}

// Close gives all shards up, so that other replicas take over at once, and waits for the last commit.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	n.closing = true // a shard that is given up gets no standby
	owned := slices.Collect(maps.Values(n.owned))
	for _, standby := range n.standbys {
		standby.cancel()
	}
	n.mu.Unlock()
	for _, o := range owned {
		o.cancel()
	}
	for _, o := range owned {
		select {
		case <-o.stopped:
		case <-ctx.Done():
			n.endCommits()
		}
	}
	err := n.group.Close(ctx)
	n.cancel()
	n.done.Wait()
	n.peers.close()
	n.client.Close()
	return err
}
