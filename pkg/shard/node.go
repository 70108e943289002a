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

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/peer"
)

// Node is the write side of one replica. It owns some shards, and hands commands for the others to their owners. Any
// replica accepts any command.
type Node struct {
	cfg     Config
	log     *slog.Logger
	client  *eventlog.Client
	layout  eventlog.Layout
	group   *eventlog.Ownership
	peers   *peer.Peers
	owners  *owners
	hearing *hearing
	metrics *metrics
	cancel  context.CancelFunc
	done    sync.WaitGroup
	// replica is the name of this replica, and leaveDataDir ends its use of the data folder.
	replica      string
	leaveDataDir func()

	mu       sync.Mutex
	owned    map[int32]*ownership
	standbys map[int32]*ownership // of shards that are not owned
	closing  bool
	runners  []atomic.Pointer[runner] // by shard; nil: not serving here
	faults   map[int32]error          // shards that cannot be served until somebody repairs them
	refusals []*refusals              // by shard
	// handOvers have, by shard, the commands that wait for its next owner.
	handOvers []*handOver
	clocks    []*shardClock // by shard
	health    []shardHealth // by shard
	// brokersAnswered is when a Kafka broker last answered, in Unix nanoseconds.
	brokersAnswered atomic.Int64

	// restoring is, by shard, how many records of the log a restore here has still to read; 0: none is under way.
	restoring []atomic.Int64
	started   atomic.Bool // the shards that were given first are served
	joined    atomic.Bool // commands of other replicas can be taken

	unable       chan inability // to serve a shard; capacity 1
	stopLeaving  context.CancelFunc
	leavingEnded chan struct{}
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
	if cfg.MaxClockSkew < 0 {
		return nil, fmt.Errorf("clocks cannot be %s apart; 0 does not compare them", cfg.MaxClockSkew)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
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
	n := &Node{
		cfg: cfg, log: cfg.Logger, client: client, metrics: m,
		owned: map[int32]*ownership{}, standbys: map[int32]*ownership{}, faults: map[int32]error{},
		unable: make(chan inability, 1), leavingEnded: make(chan struct{}),
	}
	if n.replica, n.leaveDataDir, err = openReplica(ctx, cfg.DataDir); err != nil {
		client.Close()
		return nil, err
	}
	if err := n.join(ctx); err != nil {
		n.leaveDataDir()
		client.Close()
		return nil, err
	}
	return n, nil
}

// join starts everything that needs the layout.
func (n *Node) join(ctx context.Context) error {
	var err error
	if n.layout, err = n.client.EnsurePlatform(ctx, n.cfg.Want); err != nil {
		return err
	}
	n.runners = make([]atomic.Pointer[runner], n.layout.ShardCount)
	n.restoring = make([]atomic.Int64, n.layout.ShardCount)
	if n.peers, err = peer.Start(n.peerConfig()); err != nil {
		return err
	}
	n.hearing = newHearing(n.layout.ShardCount)
	n.refusals = make([]*refusals, n.layout.ShardCount)
	for shard := range n.refusals {
		n.refusals[shard] = newRefusals()
	}
	n.clocks = n.newClocks()
	n.health = make([]shardHealth, n.layout.ShardCount)
	n.brokersAnswered.Store(time.Now().UnixNano())
	n.handOvers = newHandOvers(n, n.layout.ShardCount)
	n.owners = newOwners(n.layout, n.peers.Address(), n.hearing, n.refusals, n.clocks,
		func(shard int32) { n.handOvers[shard].hasOwner() })
	n.group, err = eventlog.JoinOwnership(n.cfg.Log, eventlog.OwnershipOptions{
		SessionTimeout: n.cfg.SessionTimeout, ShardCount: n.layout.ShardCount, Replica: n.replica,
	})
	if err != nil {
		n.peers.Close()
		return err
	}
	n.joined.Store(true)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.done.Go(func() { n.hearing.run(run) })
	n.done.Go(func() { n.owners.follow(run, n.client, n.log) })
	n.done.Go(func() { n.followGroup(run) })
	n.done.Go(func() { n.watchHealth(run) })
	n.done.Go(func() { n.watchBrokers(run) })
	leaving, stopLeaving := context.WithCancel(run)
	n.stopLeaving = stopLeaving
	n.done.Go(func() {
		defer close(n.leavingEnded)
		n.leaveWhenUnable(leaving)
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	for shard := range n.layout.ShardCount {
		if n.owned[shard] == nil {
			n.startStandby(run, shard)
		}
	}
	return nil
}

func (n *Node) peerConfig() peer.Config {
	return peer.Config{
		Generation: n.layout.Generation, Listen: n.cfg.PeerListen, Advertise: n.cfg.Advertise, TLS: n.cfg.PeerTLS,
		Handler: peerHandler{n}, Log: n.log,
	}
}

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

// Close releases all shards, so that other replicas acquire them at once, and waits for the last commit.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	n.closing = true // a shard that is released gets no standby
	for _, standby := range n.standbys {
		standby.cancel()
	}
	n.mu.Unlock()
	n.stopLeaving()
	<-n.leavingEnded // it must not join again after this
	n.releaseAll(ctx, n.endCommits)
	for _, h := range n.handOvers {
		h.close()
	}
	err := n.group.Close(ctx)
	n.cancel()
	n.done.Wait()
	n.peers.Close()
	n.client.Close()
	n.leaveDataDir()
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
