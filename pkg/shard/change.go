package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	// silentAfter is how long a replica may take to say that it prepares for a planned layout. One of an earlier release
	// never does.
	silentAfter = 2 * eventlog.PlanLease
	// servedWithin is how long the shards of a new layout may take to have an owner. The session timeout of a replica that
	// was killed meanwhile is in it.
	servedWithin = time.Minute
	// observeEvery is how often a change looks at the group of replicas.
	observeEvery = 200 * time.Millisecond
	// withdrawTimeout bounds how long saying that a change is given up may take.
	withdrawTimeout = 5 * time.Second
)

// Owner is who serves a shard, as it has announced.
type Owner struct {
	Shard      int32    `json:"shard"`
	Partitions []int32  `json:"partitions"`
	ID         [16]byte `json:"-"`
	// Address is where other replicas reach it; empty: nobody has announced itself, or it cannot be reached.
	Address string `json:"owner,omitempty"`
	// Since is when it acquired the shard, and AnnouncedAt when it was last heard of: an idle owner announces itself once
	// a minute. They are zero where there is none.
	Since       time.Time `json:"since,omitzero"`
	AnnouncedAt time.Time `json:"announced_at,omitzero"`
}

// Known reports whether somebody has announced itself.
func (o *Owner) Known() bool { return !o.AnnouncedAt.IsZero() }

// Owners are the owners of a layout's shards, from what they have announced in the last hour.
func Owners(ctx context.Context, client *eventlog.Client, layout eventlog.Layout) ([]Owner, error) {
	all := make([]Owner, layout.ShardCount)
	tps := make([]eventlog.TopicPartition, layout.ShardCount)
	for shard := range layout.ShardCount {
		all[shard] = Owner{Shard: shard, Partitions: partitionsOf(layout, shard)}
		tps[shard] = eventlog.TopicPartition{Topic: eventlog.TopicShards, Partition: shard}
	}
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	to, err := client.EndOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	err = client.Read(ctx, from, to, func(r *eventlog.Record) error {
		noteOwner(all, layout, r)
		return nil
	})
	return all, err
}

// noteOwner takes in an announcement of a layout's owners. It is false for anything else.
func noteOwner(all []Owner, layout eventlog.Layout, r *eventlog.Record) bool {
	var a eventv1.Announcement
	if a.UnmarshalVT(r.Value) != nil || a.Generation != layout.Generation || int(a.Shard) >= len(all) ||
		len(a.OwnerId) != 16 {
		return false
	}
	o := &all[a.Shard]
	if id := [16]byte(a.OwnerId); o.ID != id {
		sec, nsec := uuid.UUID(id).Time().UnixTime()
		o.ID, o.Since = id, time.Unix(sec, nsec)
	}
	o.Address, o.AnnouncedAt = a.PeerAddress, time.UnixMicro(a.AnnouncedAtMicros)
	return true
}

func partitionsOf(layout eventlog.Layout, shard int32) []int32 {
	var partitions []int32
	for p := shard; p < layout.PartitionCount; p += layout.ShardCount {
		partitions = append(partitions, p)
	}
	return partitions
}

// Change makes a change of the layout on a platform that runs: it plans it, waits until every replica has prepared,
// makes it count, and waits until every shard has an owner.
type Change struct {
	Client *eventlog.Client
	Plan   eventlog.LayoutPlan
	// Observe is told how far the change is, several times a second; nil: nobody is.
	Observe func(ChangeStatus)

	mu      sync.Mutex
	reports map[string]report
	rival   *eventlog.LayoutInUseError
	ours    bool // our plan has been read, and no other before it
}

// report is what a replica said last of its preparation.
type report struct {
	eventlog.Preparation
	at time.Time
}

// ChangeStatus is how far a change is.
type ChangeStatus struct {
	// Counts: the layout has changed; Owned of the shards have an owner.
	Counts bool
	Owned  int
	// Replicas are those that run, and Ready those that have prepared. LagRecords are to be read by the replica that is
	// furthest behind.
	Replicas, Ready int
	LagRecords      int64
}

// ChangeReport says what a change did.
type ChangeReport struct {
	Layout eventlog.Layout `json:"layout"`
	// Replicas is how many replicas took part; 0: none runs.
	Replicas int `json:"replicas"`
	// PreparedMs is how long the preparation took, while the former layout served.
	PreparedMs int64        `json:"prepared_ms"`
	Shards     []ShardMoved `json:"shards,omitempty"`
}

// ShardMoved is a shard of the new layout.
type ShardMoved struct {
	Owner
	// UnservedMs is how long after the change somebody served the shard. Commands waited for so long at most.
	UnservedMs float64 `json:"unserved_ms"`
}

// Run makes the change. Before the layout counts it can be given up at any time: then everything is as it was. It
// returns a *eventlog.LayoutInUseError when somebody else is making a change.
func (c *Change) Run(ctx context.Context) (*ChangeReport, error) {
	if other, err := c.Client.PlanOf(ctx); err != nil {
		return nil, err
	} else if other != nil {
		return nil, other
	}
	if err := c.Client.WritePlan(ctx, c.Plan); err != nil {
		return nil, err
	}
	refreshing, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { c.refresh(refreshing) })
	background.Go(func() { c.follow(refreshing) })
	defer func() {
		stop()
		background.Wait()
		c.withdraw(ctx)
	}()
	began := time.Now()
	replicas, err := c.awaitPrepared(ctx)
	if err != nil {
		return nil, err
	}
	report := &ChangeReport{Layout: c.Plan.To, Replicas: replicas, PreparedMs: time.Since(began).Milliseconds()}
	if err := c.Client.MoveLayout(ctx, c.Plan.From, c.Plan.To); err != nil {
		return nil, err
	}
	if replicas == 0 {
		return report, nil
	}
	report.Shards, err = c.AwaitOwners(ctx, time.Now())
	return report, err
}

// withdraw says that nobody makes the change any more: it counts, or was given up.
func (c *Change) withdraw(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	_ = c.Client.WithdrawPlan(ctx, c.Plan.ID) // otherwise it ends with its lease
}

// refresh says again and again that the change is being made, until ctx ends.
func (c *Change) refresh(ctx context.Context) {
	for backoff.Sleep(ctx, eventlog.PlanRefresh) == nil {
		_ = c.Client.WritePlan(ctx, c.Plan) // replicas stop preparing when it fails for long, and begin again later
	}
}

// follow notes what replicas report, and other plans, until ctx ends.
func (c *Change) follow(ctx context.Context) {
	for ctx.Err() == nil {
		f, err := c.Client.FollowLayout(ctx)
		for err == nil {
			var news []eventlog.LayoutNews
			if news, err = f.Next(ctx); err == nil {
				c.note(news)
			}
		}
		if f != nil {
			f.Close()
		}
		_ = backoff.Sleep(ctx, reacquireBackoff) // the loop sees the end of ctx
	}
}

func (c *Change) note(news []eventlog.LayoutNews) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reports == nil {
		c.reports = map[string]report{}
	}
	for _, n := range news {
		switch {
		case n.Preparation != nil && n.Preparation.Plan == c.Plan.ID:
			c.reports[n.Preparation.Replica] = report{*n.Preparation, time.Now()}
		case n.Plan != nil && n.Plan.ID == c.Plan.ID:
			c.ours = c.ours || c.rival == nil
		case n.Plan != nil && n.Age < eventlog.PlanLease && !c.ours:
			c.rival = &eventlog.LayoutInUseError{Plan: *n.Plan, HeardAgo: n.Age}
		case n.Withdrawn != nil && c.rival != nil && c.rival.Plan.ID == *n.Withdrawn:
			c.rival = nil
		}
	}
}

// awaitPrepared waits until all replicas have prepared, and returns how many they are.
func (c *Change) awaitPrepared(ctx context.Context) (replicas int, err error) {
	began := time.Now()
	for {
		members, err := c.Client.Replicas(ctx, c.Plan.From.Generation)
		if err != nil {
			return 0, err
		}
		status, silent, err := c.status(members)
		if err != nil {
			return 0, err
		}
		if c.Observe != nil {
			c.Observe(status)
		}
		if status.Ready == len(members) && c.first() {
			return len(members), nil
		}
		if len(silent) > 0 && time.Since(began) > silentAfter {
			return 0, fmt.Errorf("these replicas of order-api do not prepare for another layout: %s. They run an earlier "+
				"release, or were killed a moment ago: upgrade them, and run this again. Nothing was changed",
				strings.Join(silent, ", "))
		}
		if err := backoff.Sleep(ctx, observeEvery); err != nil {
			return 0, fmt.Errorf("the change was given up; nothing was changed: %w", err)
		}
	}
}

// first reports whether the plan was read back, before any other.
func (c *Change) first() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ours
}

// status compares what was reported with the members of the group. silent are those that have reported nothing of late.
func (c *Change) status(members []eventlog.GroupMember) (s ChangeStatus, silent []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rival != nil {
		return s, nil, c.rival
	}
	s.Replicas = len(members)
	for _, m := range members {
		r, known := c.reports[m.Replica]
		if !known || time.Since(r.at) > eventlog.PlanLease {
			silent = append(silent, m.Replica+" at "+m.Host)
			continue
		}
		if c.Plan.To.OrdersWithGoods() && !r.PlacesWithGoods {
			return s, nil, fmt.Errorf("the replica %s at %s of order-api runs a release that cannot place orders with their "+
				"goods: upgrade it, and run this again. Nothing was changed", m.Replica, m.Host)
		}
		if r.Ready {
			s.Ready++
		}
		s.LagRecords = max(s.LagRecords, r.LagRecords)
	}
	return s, silent, nil
}

// AwaitOwners waits until each shard of the new layout has an owner, and returns how long after the change that was.
func (c *Change) AwaitOwners(ctx context.Context, changed time.Time) ([]ShardMoved, error) {
	layout := c.Plan.To
	wait, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	f, err := c.Client.FollowAnnouncements(wait, layout.ShardCount)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	owners := make([]Owner, layout.ShardCount)
	moved := make([]ShardMoved, layout.ShardCount)
	for owned := 0; owned < len(owners); {
		if c.Observe != nil {
			c.Observe(ChangeStatus{Counts: true, Owned: owned})
		}
		recs, _, err := f.Poll(wait)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return moved, fmt.Errorf("the layout has changed, and %d of %d shards have no owner after %s: "+
				"see what the replicas of order-api log, and holdfast layout show", len(owners)-owned, len(owners), servedWithin)
		}
		if err != nil {
			return moved, err
		}
		for i := range recs {
			if !noteOwner(owners, layout, &recs[i]) {
				continue
			}
			shard := recs[i].Partition
			if m := &moved[shard]; !m.Known() {
				owners[shard].Shard, owners[shard].Partitions = shard, partitionsOf(layout, shard)
				*m = ShardMoved{owners[shard], float64(time.Since(changed).Microseconds()) / 1000}
				owned++
			}
		}
	}
	return slices.Clone(moved), nil
}
