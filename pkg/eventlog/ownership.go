package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Defaults of OwnershipOptions.
const (
	DefaultSessionTimeout = 6 * time.Second
	DefaultHeartbeat      = 300 * time.Millisecond
)

// OwnershipOptions set how fast the group notices that a member is gone.
type OwnershipOptions struct {
	// SessionTimeout is after how long a member that is not heard of loses its shards. Default 6 s.
	SessionTimeout time.Duration
	// Heartbeat is how often a member is heard of, and how fast it hears of others. Default 300 ms.
	Heartbeat time.Duration
	// ShardCount hides partitions beyond the layout's shards, which are left when the shard count was lowered.
	// Default: show all.
	ShardCount int32
	// Group is the group's name behind the environment's, and Topic the one whose partitions are shared out.
	// Default: the shards of TopicShards. A view's replicas share the partitions of an event topic in the same way.
	Group, Topic string
}

func (o OwnershipOptions) withDefaults() OwnershipOptions {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = DefaultSessionTimeout
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	if o.Group == "" {
		o.Group = "shards"
	}
	if o.Topic == "" {
		o.Topic = TopicShards
	}
	return o
}

// OwnershipEvent says that a shard was given to this replica or taken from it. Where another topic is shared
// out, Shard is its partition.
type OwnershipEvent struct {
	Shard int32
	Owned bool
}

// Ownership is the scheduler: it spreads the shards over the replicas that have joined. It grants no right to
// write, a Writer does; when two replicas believe that they own a shard, the log still has one writer.
type Ownership struct {
	cfg   Config
	kafka *kgo.Client
	group string

	shardCount int32 // 0: all

	mu      sync.Mutex
	joined  bool // the group has said what this replica is given
	owned   map[int32]bool
	queue   []OwnershipEvent // events not yet received, in order; at most two for each change of the group
	arrived chan struct{}    // capacity 1: the queue has something

	events  chan OwnershipEvent
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once
}

// JoinOwnership joins the group of replicas. Shards are handed over when they come, through Events.
func JoinOwnership(cfg Config, opts OwnershipOptions) (*Ownership, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	if opts.Heartbeat > opts.SessionTimeout/3 {
		return nil, fmt.Errorf("kafka: heartbeat %s is over a third of the session timeout %s", opts.Heartbeat, opts.SessionTimeout)
	}
	o := &Ownership{
		cfg: cfg.withDefaults(), owned: make(map[int32]bool), arrived: make(chan struct{}, 1),
		events: make(chan OwnershipEvent), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	o.group, o.shardCount = o.cfg.Env+"-"+opts.Group, opts.ShardCount
	topic := o.cfg.clusterTopic(opts.Topic)
	taken := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { o.note(parts[topic], false) }
	var err error
	o.kafka, err = o.cfg.newClient("ownership-"+opts.Group,
		kgo.ConsumerGroup(o.group),
		kgo.ConsumeTopics(topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.HeartbeatInterval(opts.Heartbeat),
		kgo.SessionTimeout(opts.SessionTimeout),
		kgo.RebalanceTimeout(opts.SessionTimeout),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { o.note(parts[topic], true) }),
		kgo.OnPartitionsRevoked(taken),
		kgo.OnPartitionsLost(taken),
	)
	if err != nil {
		return nil, err
	}
	o.kafka.PauseFetchTopics(topic) // the group is all that we want of this topic
	go o.deliver()
	return o, nil
}

// note is called from the group's callbacks and returns at once: a callback that waits holds up the group.
func (o *Ownership) note(shards []int32, owned bool) {
	o.mu.Lock()
	o.joined = o.joined || owned // what is given may be nothing
	for _, shard := range shards {
		if o.owned[shard] != owned && (o.shardCount == 0 || shard < o.shardCount) {
			o.owned[shard] = owned
			o.queue = append(o.queue, OwnershipEvent{Shard: shard, Owned: owned})
		}
	}
	o.mu.Unlock()
	select {
	case o.arrived <- struct{}{}:
	default:
	}
}

// deliver hands the queue to the receiver of Events.
func (o *Ownership) deliver() {
	defer close(o.stopped)
	defer close(o.events)
	for {
		select {
		case <-o.arrived:
		case <-o.stop:
			return
		}
		o.mu.Lock()
		queue := o.queue
		o.queue = nil
		o.mu.Unlock()
		for _, event := range queue {
			select {
			case o.events <- event:
			case <-o.stop:
				return
			}
		}
	}
}

// Events tells of every change, in order. When it is closed, nothing is owned any more.
func (o *Ownership) Events() <-chan OwnershipEvent { return o.events }

// Joined is whether the group has said what this replica is given, be it nothing.
func (o *Ownership) Joined() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.joined
}

// Owned is whether this replica holds the shard, as far as it knows.
func (o *Ownership) Owned(shard int32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owned[shard]
}

// Confirm asks the group's coordinator now whether this member still belongs to the group, and answers whether
// it holds the shard. While the members join anew it waits: bound it with the context.
func (o *Ownership) Confirm(ctx context.Context, shard int32) (bool, error) {
	for {
		member, generation := o.kafka.GroupMetadata()
		if member == "" {
			return false, nil
		}
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation = o.group, member, generation
		resp, err := req.RequestWith(ctx, o.kafka)
		if err != nil {
			return false, fmt.Errorf("confirm shard %d: %w", shard, err)
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		switch {
		case err == nil, errors.Is(err, kerr.RebalanceInProgress):
			// While members join, each keeps what it has: a shard moves only after its holder has let go.
			return o.Owned(shard), nil
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
			return false, nil
		case !errors.Is(err, kerr.IllegalGeneration) && !kerr.IsRetriable(err):
			return false, fmt.Errorf("confirm shard %d: %w", shard, err)
		}
		// The group has gone on to a generation that we are about to learn of.
		if Sleep(ctx, retryPause) != nil {
			return false, fmt.Errorf("confirm shard %d: %w", shard, errors.Join(ctx.Err(), err))
		}
	}
}

// Close leaves the group, so that the others take over at once, and closes Events; events that nobody is
// receiving by then are dropped. When ctx ends before the group has answered, its error is returned and the
// session timeout hands the shards over.
func (o *Ownership) Close(ctx context.Context) error {
	var err error
	o.closing.Do(func() {
		err = o.kafka.LeaveGroupContext(ctx)
		o.kafka.CloseAllowingRebalance()
		close(o.stop)
		<-o.stopped
	})
	return err
}
