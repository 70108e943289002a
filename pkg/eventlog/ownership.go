package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Defaults of OwnershipOptions.
const (
	DefaultSessionTimeout = 6 * time.Second
	DefaultHeartbeat      = 100 * time.Millisecond
)

// OwnershipOptions say which group to join, and how fast the group notices that a member is gone.
type OwnershipOptions struct {
	// SessionTimeout is after how long without a heartbeat a member loses its shards. Default 6 s.
	SessionTimeout time.Duration
	// Heartbeat is how often a member sends a heartbeat. It learns of changes from the response. Default 100 ms.
	Heartbeat time.Duration
	// ShardCount hides partitions beyond the layout's shards. Such partitions exist after the shard count was lowered.
	// Default: show all.
	ShardCount int32
	// Group is the group's name without the environment's prefix. Topic is the topic whose partitions the group assigns
	// to its members. Default: the shards, one partition of TopicShards each. The replicas of the mirror share the
	// partitions of an event topic in the same way.
	Group, Topic string
	// Replica names this member over its restarts (Kafka's group.instance.id). A member that crashes and comes back under
	// its name before the session timeout has its shards again at once, and nobody else's move. Without a name the group
	// waits for the session timeout of the member that is gone before it assigns anything. Two members must not have one
	// name: the second takes the first one's place.
	Replica string
	// Later leaves joining to Rejoin. Until then it is as after Leave.
	Later bool
	// Standbys is how many other replicas keep a standby of each shard; 0: this one keeps none. The settings of the
	// member that leads the group count. Checkpoints is asked what this replica has whenever the group is to assign, also
	// before JoinOwnership returns; owned is Owned. It must not wait. nil: the group assigns shards without regard to
	// that.
	Standbys    int
	Checkpoints func(owned func(shard int32) bool) Checkpoints
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

// OwnershipEvent means that the group has assigned a shard to this replica (Owned), or has taken it away. With another
// topic than TopicShards, Shard is the partition.
type OwnershipEvent struct {
	Shard int32
	Owned bool
}

// Ownership is the scheduler: a Kafka consumer group that spreads the shards over the replicas that have joined. It
// does not grant the right to write, a Writer does. When two replicas think that they own a shard, the log still has
// one writer.
type Ownership struct {
	cfg     Config
	opts    OwnershipOptions
	topic   string
	group   string
	replica string // empty: it has no name

	shardCount int32 // 0: all

	mu      sync.Mutex
	kafka   *kgo.Client // nil: it has left the group for a while
	joined  bool        // the group has assigned something to this replica, possibly nothing
	fault   error
	owned   map[int32]bool
	queue   []OwnershipEvent // events not received yet, in order; at most two for each change of the group
	arrived chan struct{}    // capacity 1: the queue is not empty
	// standbys are those to keep, and changed says that they, or owned, have changed. It has the capacity 1.
	standbys Standbys
	changed  chan struct{}

	events  chan OwnershipEvent
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once
}

// JoinOwnership joins the group of replicas, unless the options say later. Assigned shards come through Events.
func JoinOwnership(cfg Config, opts OwnershipOptions) (*Ownership, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	if opts.Heartbeat > opts.SessionTimeout/3 {
		return nil, fmt.Errorf("kafka: heartbeat %s is over a third of the session timeout %s",
			opts.Heartbeat, opts.SessionTimeout)
	}
	o := &Ownership{
		cfg: cfg.withDefaults(), opts: opts, owned: make(map[int32]bool), arrived: make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		events:  make(chan OwnershipEvent), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	o.group, o.replica, o.shardCount = o.cfg.Env+"-"+opts.Group, opts.Replica, opts.ShardCount
	o.topic = o.cfg.clusterTopic(opts.Topic)
	if !opts.Later {
		if err := o.join(); err != nil {
			return nil, err
		}
	}
	go o.deliver()
	return o, nil
}

// join opens a client that is a member of the group.
func (o *Ownership) join() error {
	assigned := func(_ context.Context, _ *kgo.Client, tps map[string][]int32) { o.note(tps[o.topic], true) }
	removed := func(_ context.Context, _ *kgo.Client, tps map[string][]int32) { o.note(tps[o.topic], false) }
	named := []kgo.Opt{kgo.WithHooks(groupErrors{o})}
	if o.replica != "" {
		named = append(named, kgo.InstanceID(o.replica))
	}
	kafka, err := o.cfg.newClient("ownership-"+o.opts.Group, append(named,
		kgo.ConsumerGroup(o.group),
		kgo.ConsumeTopics(o.topic),
		kgo.Balancers(o.balancers()...),
		kgo.HeartbeatInterval(o.opts.Heartbeat),
		kgo.SessionTimeout(o.opts.SessionTimeout),
		kgo.RebalanceTimeout(o.opts.SessionTimeout),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(assigned),
		kgo.OnPartitionsRevoked(removed),
		kgo.OnPartitionsLost(removed),
	)...)
	if err != nil {
		return err
	}
	kafka.PauseFetchTopics(o.topic) // only the group is of use, not the records
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kafka = kafka
	return nil
}

// member is the client that is a member of the group; nil: it has left.
func (o *Ownership) member() *kgo.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kafka
}

// note queues events for changes of the group. The group's callbacks call it, so it must not wait: a callback that
// waits delays the whole group.
func (o *Ownership) note(shards []int32, owned bool) {
	o.mu.Lock()
	o.joined = o.joined || owned // an assignment may be of no shards
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
	o.signalChange()
}

// deliver sends the queued events to the receiver of Events.
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

// Events has every change, in order. When it is closed, this replica owns nothing any more.
func (o *Ownership) Events() <-chan OwnershipEvent { return o.events }

// Joined is whether the group has assigned shards to this replica, possibly none.
func (o *Ownership) Joined() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.joined
}

// Owned is whether this replica owns the shard, as far as it knows.
func (o *Ownership) Owned(shard int32) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owned[shard]
}

// Confirm asks the group's coordinator whether this replica is still a member of the group, and returns whether it owns
// the shard. While the group changes Confirm waits, so limit it with the context.
func (o *Ownership) Confirm(ctx context.Context, shard int32) (bool, error) {
	for {
		kafka := o.member()
		if kafka == nil {
			return false, nil
		}
		member, generation := kafka.GroupMetadata()
		if member == "" {
			return false, nil
		}
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation, req.InstanceID = o.group, member, generation, o.instanceID()
		resp, err := req.RequestWith(ctx, kafka)
		if err != nil {
			return false, fmt.Errorf("confirm shard %d: %w", shard, err)
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		switch {
		case err == nil, errors.Is(err, kerr.RebalanceInProgress):
			// During a rebalance each member keeps its shards: a shard moves only after its owner has given it up.
			return o.Owned(shard), nil
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
			return false, nil
		case !errors.Is(err, kerr.IllegalGeneration) && !kerr.IsRetriable(err):
			return false, fmt.Errorf("confirm shard %d: %w", shard, err)
		}
		// The group is in a newer generation, of which this client learns with its next heartbeat.
		if backoff.Sleep(ctx, retryPause) != nil {
			return false, fmt.Errorf("confirm shard %d: %w", shard, errors.Join(ctx.Err(), err))
		}
	}
}

// Close leaves the group, so that the others get the shards at once, and closes Events. It drops events that nobody has
// received by then. When ctx ends before the group has answered, Close returns the context's error, and the others get
// the shards after the session timeout.
func (o *Ownership) Close(ctx context.Context) error {
	var err error
	o.closing.Do(func() {
		err = o.Leave(ctx)
		close(o.stop)
		<-o.stopped
	})
	return err
}

// Others is how many other members the group has.
func (o *Ownership) Others(ctx context.Context) (int, error) {
	kafka := o.member()
	if kafka == nil {
		return 0, nil
	}
	groups, err := kadm.NewClient(kafka).DescribeGroups(ctx, o.group)
	if err == nil {
		err = groups[o.group].Err
	}
	if err != nil {
		return 0, fmt.Errorf("describe the group %s: %w", o.group, err)
	}
	self, _ := kafka.GroupMetadata()
	others := 0
	for _, m := range groups[o.group].Members {
		if m.MemberID != self {
			others++
		}
	}
	return others, nil
}

// Leave leaves the group until Rejoin, so that other members get this one's shards. Events says of each that it is
// lost.
func (o *Ownership) Leave(ctx context.Context) error {
	kafka := o.member()
	if kafka == nil {
		return nil
	}
	err := o.leave(ctx, kafka)
	kafka.CloseAllowingRebalance()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kafka = nil
	return err
}

// Member reports whether this replica has joined the group, or is about to, and has not left it.
func (o *Ownership) Member() bool { return o.member() != nil }

// Rejoin joins the group again after Leave.
func (o *Ownership) Rejoin() error {
	if o.member() != nil {
		return nil
	}
	return o.join()
}

// leave gives up the shards, and tells the group so. The client does not tell it where the member has a name, since it
// may be about to start again.
func (o *Ownership) leave(ctx context.Context, kafka *kgo.Client) error {
	member, _ := kafka.GroupMetadata()
	if err := kafka.LeaveGroupContext(ctx); err != nil || o.replica == "" || member == "" || o.Fault() != nil {
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = o.group
	leaving := kmsg.NewLeaveGroupRequestMember()
	leaving.MemberID, leaving.InstanceID = member, o.instanceID() // not one that has taken this one's place
	req.Members = append(req.Members, leaving)
	if _, err := req.RequestWith(ctx, kafka); err != nil {
		return fmt.Errorf("leave the group %s: %w", o.group, err)
	}
	return nil
}

func (o *Ownership) instanceID() *string {
	if o.replica == "" {
		return nil
	}
	return &o.replica
}

// ReplacedError says that another member has joined the group under this one's name. It does not end: only one of them
// can have the name.
type ReplacedError struct{ Group, Replica string }

// Error implements error.
func (e *ReplacedError) Error() string {
	return fmt.Sprintf("another process has joined the group %s as the replica %s and has taken this one's place. "+
		"Its data folder must be a copy of this one's: stop one of the two, delete the file replica-id in its data folder, "+
		"and start it again", e.Group, e.Replica)
}

// Permanent marks an error that time does not heal.
func (*ReplacedError) Permanent() {}

// Fault is a *ReplacedError once another member has taken this one's place.
func (o *Ownership) Fault() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fault
}

// groupErrors is told why the client left the group, which it joins again by itself.
type groupErrors struct{ o *Ownership }

// OnGroupManageError implements kgo.HookGroupManageError.
func (g groupErrors) OnGroupManageError(err error) {
	if !errors.Is(err, kerr.FencedInstanceID) {
		return
	}
	g.o.mu.Lock()
	defer g.o.mu.Unlock()
	if g.o.fault == nil {
		g.o.fault = &ReplacedError{g.o.group, g.o.replica}
		g.o.cfg.Logger.Error("this replica serves nothing any more", "error", g.o.fault)
	}
}
