package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// A layout changes in two steps, so that nobody waits while checkpoints are built. First somebody writes a plan into
// TopicPlans, and again every PlanRefresh while the change is being made. The replicas that see it build checkpoints of
// the shards as they will be, join the group of the next generation, and report how far they are. Then the new layout
// is appended to TopicLayout: from then on it counts, whoever planned it, and the replicas take their new shards over.
// A plan that nobody refreshes for PlanLease is void.

// How long plans hold.
const (
	PlanRefresh = time.Second
	PlanLease   = 5 * time.Second
)

// LayoutPlan is a change of the layout that somebody is making.
type LayoutPlan struct {
	ID   uuid.UUID `json:"id"`
	From Layout    `json:"from"`
	To   Layout    `json:"to"`
	// By says who makes it.
	By string `json:"by"`
}

// Preparation is how far a replica is with a plan.
type Preparation struct {
	Plan uuid.UUID `json:"plan"`
	// Replica is its name in the group of replicas.
	Replica string `json:"replica"`
	// LagRecords are left to read of the log before its checkpoints of the next generation are at the log's end. Ready:
	// each has been there once, and it is a member of the next generation's group.
	LagRecords int64 `json:"lag_records"`
	Ready      bool  `json:"ready"`
	// PlacesWithGoods: the replica's release can place orders with their goods. Releases before do not say so.
	PlacesWithGoods bool `json:"places_with_goods,omitempty"`
}

// planRecord is a record of TopicPlans; one of its members is set.
type planRecord struct {
	Plan        *LayoutPlan  `json:"plan,omitempty"`
	Preparation *Preparation `json:"preparation,omitempty"`
	Withdrawn   *uuid.UUID   `json:"withdrawn,omitempty"` // a plan, or a pin
	Pin         *Pin         `json:"pin,omitempty"`
	Cut         *Cut         `json:"cut,omitempty"`
}

var (
	planTP   = TopicPartition{Topic: TopicPlans}
	layoutTP = TopicPartition{Topic: TopicLayout}
)

// LayoutInUseError says that somebody else is changing the layout.
type LayoutInUseError struct {
	Plan LayoutPlan
	// HeardAgo is how long ago its maker said so.
	HeardAgo time.Duration
}

// Error says what to do.
func (e *LayoutInUseError) Error() string {
	return fmt.Sprintf("%s is changing the layout from %d to %d shards, and was heard of %s ago: wait until that has "+
		"ended. If that process is gone, its change is void %s after it was last heard of: run this again then",
		e.Plan.By, e.Plan.From.ShardCount, e.Plan.To.ShardCount, e.HeardAgo.Round(100*time.Millisecond), PlanLease)
}

// PlanOf is the plan that is being carried out; nil: none is.
func (c *Client) PlanOf(ctx context.Context) (*LayoutInUseError, error) {
	count, err := c.partitionCount(ctx, TopicPlans)
	if err != nil || count == 0 {
		return nil, err
	}
	from, err := c.StartOffsets(ctx, []TopicPartition{planTP})
	if err != nil {
		return nil, err
	}
	to, err := c.EndOffsets(ctx, []TopicPartition{planTP})
	if err != nil {
		return nil, err
	}
	var last *LayoutInUseError
	err = c.Read(ctx, from, to, func(r *Record) error {
		var rec planRecord
		if err := json.Unmarshal(r.Value, &rec); err != nil {
			return fmt.Errorf("%s: offset %d is not a plan: %w", TopicPlans, r.Offset, err)
		}
		switch {
		case rec.Plan != nil:
			last = &LayoutInUseError{Plan: *rec.Plan, HeardAgo: time.Since(time.UnixMicro(r.TimestampMicros))}
		case rec.Withdrawn != nil && last != nil && last.Plan.ID == *rec.Withdrawn:
			last = nil
		}
		return nil
	})
	if err != nil || last == nil || last.HeardAgo > PlanLease {
		return nil, err
	}
	return last, nil
}

// WritePlan says that a change is being made; say it again every PlanRefresh. It makes the partitions that the shards
// of the new layout announce themselves in.
func (c *Client) WritePlan(ctx context.Context, plan LayoutPlan) error {
	if err := plan.To.Validate(); err != nil {
		return err
	}
	if _, err := c.createTopic(ctx, TopicPlans, 1, keepAnHour(c.cfg.Embedded)); err != nil {
		return err
	}
	if err := c.growTopic(ctx, TopicShards, plan.To.ShardCount); err != nil {
		return err
	}
	return c.writePlanRecord(ctx, planRecord{Plan: &plan})
}

// WithdrawPlan says that a change is not being made any more.
func (c *Client) WithdrawPlan(ctx context.Context, id uuid.UUID) error {
	return c.writePlanRecord(ctx, planRecord{Withdrawn: &id})
}

// ReportPreparation says how far a replica is with a plan.
func (c *Client) ReportPreparation(ctx context.Context, p Preparation) error {
	return c.writePlanRecord(ctx, planRecord{Preparation: &p})
}

func (c *Client) writePlanRecord(ctx context.Context, rec planRecord) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return c.Produce(ctx, []*Record{{TopicPartition: planTP, Value: value}})
}

// LayoutNews is what was written about the layout; one member is set.
type LayoutNews struct {
	// Layout counts from now on.
	Layout      *Layout
	Plan        *LayoutPlan
	Preparation *Preparation
	Withdrawn   *uuid.UUID
	Pin         *Pin
	Cut         *Cut
	// Age is how old the record was when it was read, by this machine's clock.
	Age time.Duration
	// AtMicros is the time of the record.
	AtMicros int64
}

// LayoutFollower reads what is written about the layout, as it comes.
type LayoutFollower struct{ *Follower }

// FollowLayout begins with what is still kept of the plans, and with the first layout.
func (c *Client) FollowLayout(ctx context.Context) (*LayoutFollower, error) {
	from, err := c.StartOffsets(ctx, []TopicPartition{planTP})
	if err != nil {
		return nil, err
	}
	from[layoutTP] = 0
	f, err := c.follow(ctx, from, readerOptions{lossy: true, maxWait: seldomMaxWait})
	if err != nil {
		return nil, err
	}
	return &LayoutFollower{f}, nil
}

// Next waits for news. After any error but the context's, close the follower and start a new one. Records that it
// cannot read are those of a newer release, and are passed over.
func (f *LayoutFollower) Next(ctx context.Context) ([]LayoutNews, error) {
	recs, _, err := f.Poll(ctx)
	if err != nil {
		return nil, err
	}
	var news []LayoutNews
	for i := range recs {
		n := LayoutNews{Age: time.Since(time.UnixMicro(recs[i].TimestampMicros)), AtMicros: recs[i].TimestampMicros}
		if recs[i].Topic == TopicLayout {
			var l layoutRecord
			if json.Unmarshal(recs[i].Value, &l) != nil || l.Validate() != nil {
				continue
			}
			n.Layout = &l.Layout
		} else {
			var rec planRecord
			if json.Unmarshal(recs[i].Value, &rec) != nil {
				continue
			}
			n.Plan, n.Preparation, n.Withdrawn, n.Pin, n.Cut = rec.Plan, rec.Preparation, rec.Withdrawn, rec.Pin, rec.Cut
		}
		news = append(news, n)
	}
	return news, nil
}

// LayoutHistory has all layouts that the platform has had, oldest first.
func (c *Client) LayoutHistory(ctx context.Context) ([]Layout, error) {
	history, _, err := c.layoutHistory(ctx)
	return history, err
}

// ShardGroup is the name of the group that spreads the shards of a generation over the replicas. Each generation has
// its own, so that the next one's shards are spread before they are needed.
func ShardGroup(generation uint32) string {
	if generation <= 1 {
		return "shards"
	}
	return fmt.Sprintf("shards-g%d", generation)
}

// describeGroup asks until the group has a coordinator. Brokers make one when they are asked for the first time.
func (c *Client) describeGroup(ctx context.Context, name string) (kadm.DescribedGroups, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for {
		groups, err := c.admin.DescribeGroups(ctx, name)
		if err == nil {
			err = groups[name].Err
		}
		if brokers, ok := errors.AsType[*kadm.ShardErrors](err); ok && len(brokers.Errs) > 0 {
			err = brokers.Errs[0].Err
		}
		if err == nil || !kerr.IsRetriable(err) || backoff.Sleep(ctx, retryPause) != nil {
			return groups, err
		}
	}
}

// GroupMember is a replica that is in a group.
type GroupMember struct {
	Replica, Host string
	// TellsStandbys: its group tells which standbys to keep, and gives no shard to a replica that has to read its log
	// while another one need not.
	TellsStandbys bool
}

// Replicas are the members of the group of a generation.
func (c *Client) Replicas(ctx context.Context, generation uint32) ([]GroupMember, error) {
	name := c.cfg.Env + "-" + ShardGroup(generation)
	groups, err := c.describeGroup(ctx, name)
	if errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined it yet
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe the group %s: %w", name, err)
	}
	var members []GroupMember
	for _, m := range groups[name].Members {
		member := GroupMember{
			Replica: m.MemberID, Host: m.ClientHost, TellsStandbys: groups[name].Protocol == standbyProtocol,
		}
		if m.InstanceID != nil {
			member.Replica = *m.InstanceID
		}
		members = append(members, member)
	}
	return members, nil
}
