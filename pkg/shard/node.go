package shard

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
)

// Node is the write side of one replica under one generation of the layout. It owns some shards, and hands commands for
// the others to their owners. Any replica accepts any command. A Replica has one, and a new one with each generation.
type Node struct {
	process
	layout eventlog.Layout
	// former are the layouts of the generations before, the first one first.
	former []eventlog.Layout
	// before is that of the former generation; the zero value: this is the first.
	before  eventlog.Layout
	group   *eventlog.Ownership
	peers   *peer.Peers
	owners  *owners
	hearing *hearing
	run     context.Context // until it is closed
	cancel  context.CancelFunc
	done    sync.WaitGroup
	// preparing: the layout does not count yet, and the former generation uses its checkpoints.
	preparing atomic.Bool
	// told: the group has told it what to keep and to own.
	told atomic.Bool
	// catchingUp: it takes no shards yet, because it reads what its checkpoints lack.
	catchingUp atomic.Bool
	// readsAll: it keeps standbys of all shards, before it joins a group that tells nothing of standbys.
	readsAll atomic.Bool
	// formerLeft has the wait for the replicas to leave the former generation.
	formerLeft sync.Once
	// pinned has what holds the runners, by the ID of the pin; mu must be locked.
	pinned map[uuid.UUID]chan struct{}
	// successor gets the commands that wait when this node ends, because another generation counts; nil: none does.
	successor atomic.Pointer[Node]

	mu       sync.Mutex
	owned    map[int32]*ownership
	standbys map[int32]*ownership // of shards that are not owned: what keeps, or forgets, their checkpoints
	closing  bool
	runners  []atomic.Pointer[runner] // by shard; nil: not serving here
	// acquiring has, by shard, the runner that is being made for it and takes messages already.
	acquiring []atomic.Pointer[runner]
	faults    map[int32]error // shards that cannot be served until somebody repairs them
	refusals  []*refusals     // by shard
	filters   []shardFilters  // by shard
	// handOvers have, by shard, the commands that wait for its next owner.
	handOvers []*handOver
	clocks    []*shardClock // by shard
	health    []shardHealth // by shard
	// brokersAnswered is when a Kafka broker last answered, in Unix nanoseconds.
	brokersAnswered atomic.Int64

	// standbyLags are, by shard, how many records the standby has to read; -1: it has not caught up once.
	standbyLags []atomic.Int64
	// builds has a value for each standby that is brought to the log's end while this replica serves shards.
	builds chan struct{}
	// current is when the checkpoints were at the log's end.
	current *currency
	// standbyCurrent is, by shard, when its standby last had all of the log, in Unix nanoseconds; 0: it never had.
	standbyCurrent []atomic.Int64
	// restoring is, by shard, how many records of the log a restore here has still to read; 0: none is under way.
	restoring []atomic.Int64
	// compared is, by shard, how many orders it has compared with their stock after that; 0: none is compared.
	compared []atomic.Int64
	started  atomic.Bool // the shards that were given first are served
	joined   atomic.Bool // commands of other replicas can be taken

	unable       chan inability // to serve a shard; capacity 1
	stopLeaving  context.CancelFunc
	leavingEnded chan struct{}
}

// newNode prepares the write side under a layout: it follows what the owners announce, keeps the checkpoints
// that the generation's group tells it to, and is a member of that group, but serves nothing until serve.
func newNode(p process, layout eventlog.Layout, former []eventlog.Layout) (*Node, error) {
	var before eventlog.Layout
	if len(former) > 0 {
		before = former[len(former)-1]
	}
	n := &Node{
		process: p, layout: layout, former: former, before: before,
		owned: map[int32]*ownership{}, standbys: map[int32]*ownership{}, faults: map[int32]error{},
		unable: make(chan inability, 1), leavingEnded: make(chan struct{}), stopLeaving: func() {},
	}
	n.runners = make([]atomic.Pointer[runner], layout.ShardCount)
	n.acquiring = make([]atomic.Pointer[runner], layout.ShardCount)
	n.restoring = make([]atomic.Int64, layout.ShardCount)
	n.compared = make([]atomic.Int64, layout.ShardCount)
	n.standbyLags = make([]atomic.Int64, layout.ShardCount)
	n.standbyCurrent = make([]atomic.Int64, layout.ShardCount)
	for shard := range n.standbyLags {
		n.standbyLags[shard].Store(-1)
	}
	n.builds = make(chan struct{}, buildsAtOnce())
	n.current = loadCurrency(p.cfg.DataDir, layout, p.log)
	n.hearing = newHearing(layout)
	n.filters = make([]shardFilters, layout.ShardCount)
	n.refusals = make([]*refusals, max(layout.ShardCount, before.ShardCount))
	for shard := range n.refusals {
		n.refusals[shard] = newRefusals()
	}
	n.clocks = n.newClocks()
	n.health = make([]shardHealth, layout.ShardCount)
	n.brokersAnswered.Store(time.Now().UnixNano())
	n.handOvers = newHandOvers(n, layout.ShardCount)
	n.owners = newOwners(layout, n.hearing, n.refusals, n.clocks, func(shard int32) { n.handOvers[shard].hasOwner() })
	var err error
	if n.peers, err = peer.New(n.peerConfig()); err != nil {
		return nil, err
	}
	n.preparing.Store(true)
	close(n.leavingEnded) // until serve
	n.cancel = func() {}
	return n, nil
}

// join becomes a member of the generation's group, or with later prepares that for serve, and begins to follow the log.
func (n *Node) join(ctx context.Context, later bool) error {
	var err error
	n.group, err = eventlog.JoinOwnership(n.cfg.Log, eventlog.OwnershipOptions{
		SessionTimeout: n.cfg.SessionTimeout, ShardCount: n.layout.ShardCount, Replica: n.replica,
		Group: eventlog.ShardGroup(n.layout.Generation), Later: later,
		Standbys: n.standbyCount(), Checkpoints: n.checkpoints,
	})
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.run, n.cancel = run, cancel
	n.done.Go(func() { n.hearing.run(run) })
	n.done.Go(func() { n.owners.follow(run, n.client, n.log) })
	n.done.Go(func() { n.followGroupStandbys(run) })
	return nil
}

// listen makes this replica one that others can hand commands to.
func (n *Node) listen() error {
	if err := n.peers.Listen(); err != nil {
		return err
	}
	n.owners.reachedAt(n.peers.Address())
	return nil
}

// serve acquires and serves the shards that the group gives this replica. It is called after join and listen.
func (n *Node) serve() {
	run := n.run
	n.preparing.Store(false)
	n.joined.Store(true)
	n.done.Go(func() { n.followGroup(run) })
	n.done.Go(func() { n.watchHealth(run) })
	n.done.Go(func() { n.watchBrokers(run) })
	n.done.Go(func() { n.followKeys(run) })
	leaving, stopLeaving := context.WithCancel(run)
	n.stopLeaving, n.leavingEnded = stopLeaving, make(chan struct{})
	ended := n.leavingEnded
	n.done.Go(func() {
		defer close(ended)
		n.joinOthers(leaving)
		n.leaveWhenUnable(leaving)
	})
}

func (n *Node) peerConfig() peer.Config {
	return peer.Config{
		Generation: n.layout.Generation, Listen: n.cfg.PeerListen, Advertise: n.cfg.Advertise, TLS: n.cfg.PeerTLS,
		Handler: peerHandler{n}, Log: n.log,
	}
}

// Layout is the layout that the node serves under.
func (n *Node) Layout() eventlog.Layout { return n.layout }

// ShardOf is the shard that writes an aggregate.
func (n *Node) ShardOf(id string) int32 {
	return n.layout.ShardOf(eventlog.PartitionFor(id, n.layout.PartitionCount))
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

// close releases all shards, so that other replicas acquire them at once, and waits for the last commit.
func (n *Node) close(ctx context.Context) error {
	n.mu.Lock()
	n.closing = true // a shard that is released gets no standby
	for _, standby := range n.standbys {
		standby.cancel()
	}
	n.mu.Unlock()
	n.saveCurrency()
	n.stopLeaving()
	<-n.leavingEnded // it must not join again after this
	n.releaseAll(ctx, n.endCommits)
	for _, h := range n.handOvers {
		h.close()
	}
	var err error
	if n.group != nil {
		err = n.group.Close(ctx)
	}
	n.cancel()
	n.done.Wait()
	n.peers.Close()
	return err
}

// releaseAll releases all shards and waits until they have committed what they had decided, or calls late when ctx ends
// before.
func (n *Node) releaseAll(ctx context.Context, late func()) {
	n.mu.Lock()
	owned := slices.Collect(maps.Values(n.owned))
	n.mu.Unlock()
	for _, o := range owned {
		o.cancel()
	}
	for _, o := range owned {
		select {
		case <-o.stopped:
		case <-ctx.Done():
			late()
		}
	}
}

// endCommits closes the writers of commits that no broker answers. What became of those, the next owner finds in the
// log.
func (n *Node) endCommits() {
	for shard := range n.runners {
		if r := n.runners[shard].Load(); r != nil {
			r.committing.writer.Close()
		}
	}
}
