package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Layout says which shard writes which partitions: shard p mod ShardCount writes partition p of both event topics. For
// example, with 12 partitions and 3 shards, shard 1 writes the partitions 1, 4, 7 and 10.
type Layout struct {
	Generation     uint32 `json:"generation"`
	PartitionCount int32  `json:"partition_count"`
	ShardCount     int32  `json:"shard_count"`
	// WithGoodsSince is the generation since which new orders are placed into the partition number of their first SKU; 0:
	// they are placed by their idempotency key. Platforms begin with 1. Those of releases before have 0, until holdfast
	// layout set --orders with-goods makes a generation that has its own number here: whoever decides in that generation
	// knows that no order is placed by its key any more.
	WithGoodsSince uint32 `json:"with_goods_since,omitempty"`
}

// NewLayout is the layout of a new platform.
func NewLayout(partitions, shards int32) Layout {
	return Layout{Generation: 1, PartitionCount: partitions, ShardCount: shards, WithGoodsSince: 1}
}

// OrdersWithGoods reports whether new orders are placed into the partition number of their first SKU.
func (l Layout) OrdersWithGoods() bool { return l.WithGoodsSince != 0 }

// OrdersByKeyBefore reports whether the log may have orders that were placed by their key, from a former generation.
func (l Layout) OrdersByKeyBefore() bool { return l.WithGoodsSince > 1 }

// ErrNoLayout means that the platform has not been created yet.
var ErrNoLayout = errors.New("the layout topic is empty: the platform has not been created")

// ErrLayoutMoved means that the log has a newer generation of the layout than the caller.
var ErrLayoutMoved = errors.New("the layout has moved on to another generation")

// Validate reports what makes the layout unusable.
func (l Layout) Validate() error {
	switch {
	case l.PartitionCount < 1 || l.PartitionCount > MaxPartitionCount:
		return fmt.Errorf("layout: partition count %d is not between 1 and %d", l.PartitionCount, MaxPartitionCount)
	case l.ShardCount < 1 || l.ShardCount > l.PartitionCount:
		return fmt.Errorf("layout: shard count %d is not between 1 and the partition count %d",
			l.ShardCount, l.PartitionCount)
	case l.WithGoodsSince > l.Generation:
		return fmt.Errorf("layout: generation %d places orders with their goods only since generation %d",
			l.Generation, l.WithGoodsSince)
	}
	return nil
}

// ShardOf is the shard that writes the partition.
func (l Layout) ShardOf(partition int32) int32 { return partition % l.ShardCount }

// Partitions are the partitions of both event topics that the shard writes, ordered by partition.
func (l Layout) Partitions(shard int32) []TopicPartition {
	if shard < 0 || shard >= l.ShardCount {
		return nil
	}
	tps := make([]TopicPartition, 0, 2*(l.PartitionCount/l.ShardCount+1))
	for p := shard; p < l.PartitionCount; p += l.ShardCount {
		tps = append(tps, TopicPartition{TopicOrders, p}, TopicPartition{TopicInventory, p})
	}
	return tps
}

// Several writers of the layout fence one another. Each tries again after layoutRetryPause, at most maxLayoutAttempts
// times.
const (
	maxLayoutAttempts = 20
	layoutRetryPause  = 20 * time.Millisecond
)

// ReadLayout reads the current layout, which is the last record of the layout topic. Without one it returns
// ErrNoLayout.
func (c *Client) ReadLayout(ctx context.Context) (Layout, error) {
	exists, err := c.partitionCount(ctx, TopicLayout)
	if err != nil {
		return Layout{}, err
	}
	if exists == 0 {
		return Layout{}, ErrNoLayout
	}
	history, _, err := c.layoutHistory(ctx)
	if err != nil {
		return Layout{}, err
	}
	if len(history) == 0 {
		return Layout{}, ErrNoLayout
	}
	return history[len(history)-1], nil
}

// Next is the next generation of the layout, with another number of shards.
func (l Layout) Next(shardCount int32) Layout {
	l.Generation++
	l.ShardCount = shardCount
	return l
}

// NextWithGoods is Next that places new orders with their goods from then on.
func (l Layout) NextWithGoods(shardCount int32) Layout {
	next := l.Next(shardCount)
	if !l.OrdersWithGoods() {
		next.WithGoodsSince = next.Generation
	}
	return next
}

// MoveLayout appends the layout after from. It does nothing where that is done already, and returns ErrLayoutMoved
// where the layout is another one.
func (c *Client) MoveLayout(ctx context.Context, from, to Layout) error {
	_, err := c.appendLayout(ctx, func(history []Layout, env string) (Layout, bool, error) {
		if len(history) == 0 {
			return Layout{}, false, ErrNoLayout
		}
		if err := c.checkEnv(env); err != nil {
			return Layout{}, false, err
		}
		switch last := history[len(history)-1]; last {
		case to:
			return to, false, nil
		case from:
			return to, true, c.growTopic(ctx, TopicShards, to.ShardCount)
		default:
			return Layout{}, false, fmt.Errorf("%w: generation %d with %d shards is not %d with %d any more",
				ErrLayoutMoved, last.Generation, last.ShardCount, from.Generation, from.ShardCount)
		}
	})
	return err
}

// ChangeLayout appends the next generation with another shard count, without a plan: shards are not served until their
// new owners have read the log. Concurrent changes happen one after the other. A change to the current shard count does
// nothing.
func (c *Client) ChangeLayout(ctx context.Context, shardCount int32) (Layout, error) {
	return c.appendLayout(ctx, func(history []Layout, env string) (Layout, bool, error) {
		if len(history) == 0 {
			return Layout{}, false, ErrNoLayout
		}
		if err := c.checkEnv(env); err != nil {
			return Layout{}, false, err
		}
		last := history[len(history)-1]
		if last.ShardCount == shardCount {
			return last, false, nil
		}
		next := last.Next(shardCount)
		if err := next.Validate(); err != nil {
			return Layout{}, false, err
		}
		// Partitions first: a layout must never name a shard that the group cannot assign.
		return next, true, c.growTopic(ctx, TopicShards, shardCount)
	})
}

// layoutRecord is a record of the layout topic.
type layoutRecord struct {
	Layout
	// Env is the environment of the platform, which all of its transactional IDs and consumer groups begin with. It is
	// empty in platforms that were created before it was recorded, until adoptEnv has written it.
	Env string `json:"env,omitempty"`
	// Incarnation is that of a log that was restored.
	Incarnation Incarnation `json:"incarnation,omitempty"`
}

// layoutHistory reads all generations, oldest first, and the environment of the platform.
func (c *Client) layoutHistory(ctx context.Context) (history []Layout, env string, err error) {
	id, err := c.readIdentity(ctx)
	return id.Layouts, id.Env, err
}

// identities is what the layout topic had when it was read last.
type identities struct {
	mu   sync.Mutex
	end  int64 // 0: it was not read yet
	last Identity
}

// identityNow is readIdentity, and does not read again what has not grown since. Whoever acquires a shard asks while
// nobody serves it. The Identity is not to be changed.
func (c *Client) identityNow(ctx context.Context) (Identity, error) {
	known := &c.identities
	known.mu.Lock()
	defer known.mu.Unlock()
	end, err := c.EndOffsets(ctx, layoutTPs)
	if err != nil {
		return Identity{}, err
	}
	if known.end == 0 || known.end != end[layoutTPs[0]] {
		id, err := c.readIdentityUpTo(ctx, end)
		if err != nil {
			return Identity{}, err
		}
		known.end, known.last = end[layoutTPs[0]], id
	}
	return known.last, nil
}

var layoutTPs = []TopicPartition{{TopicLayout, 0}}

// readIdentity reads the layout topic, and checks that no generation is missing.
func (c *Client) readIdentity(ctx context.Context) (id Identity, err error) {
	end, err := c.EndOffsets(ctx, layoutTPs)
	if err != nil {
		return Identity{}, err
	}
	return c.readIdentityUpTo(ctx, end)
}

func (c *Client) readIdentityUpTo(ctx context.Context, end Offsets) (id Identity, err error) {
	err = c.Read(ctx, Offsets{layoutTPs[0]: 0}, end, func(r *Record) error {
		var l layoutRecord
		if err := json.Unmarshal(r.Value, &l); err != nil {
			return fmt.Errorf("%s: offset %d is not a layout: %w", TopicLayout, r.Offset, err)
		}
		if err := l.Validate(); err != nil {
			return fmt.Errorf("%s: offset %d: %w", TopicLayout, r.Offset, err)
		}
		adopts := id.Env == "" && l.Env != "" || id.Incarnation == "" && l.Incarnation != ""
		if n := len(id.Layouts); n > 0 && l.Layout == id.Layouts[n-1] && adopts {
			id.Env, id.Incarnation = l.Env, l.Incarnation // the same generation again, with these
			return nil
		}
		if want := uint32(len(id.Layouts) + 1); l.Generation != want {
			return fmt.Errorf("%s: offset %d holds generation %d, not %d",
				TopicLayout, r.Offset, l.Generation, want)
		}
		id.Layouts, id.Env, id.Incarnation = append(id.Layouts, l.Layout), l.Env, l.Incarnation
		return nil
	})
	return id, err
}

// decideLayout decides from the history and the recorded environment which layout is wanted, and whether it has to be
// written.
type decideLayout func(history []Layout, env string) (l Layout, write bool, err error)

// appendLayout decides on a layout and writes it under a transactional id for layouts. When two replicas do so at once,
// the later one fences the other. The other starts again, and then reads what the later one wrote.
func (c *Client) appendLayout(ctx context.Context, decide decideLayout) (Layout, error) {
	var lastErr error
	for range maxLayoutAttempts {
		history, env, err := c.layoutHistory(ctx)
		if err != nil {
			return Layout{}, err
		}
		l, write, err := decide(history, env)
		if err != nil || !write {
			return l, err
		}
		if l, lastErr = c.tryAppendLayout(ctx, decide); lastErr == nil {
			return l, nil
		}
		var unclear *UnclearError
		if !errors.As(lastErr, &unclear) {
			return Layout{}, lastErr
		}
		if err := backoff.Sleep(ctx, layoutRetryPause); err != nil {
			return Layout{}, err
		}
	}
	return Layout{}, fmt.Errorf("layout: gave up after %d attempts: %w", maxLayoutAttempts, lastErr)
}

// tryAppendLayout initialises the transactional id, reads to the end, decides again with what it read, and appends.
func (c *Client) tryAppendLayout(ctx context.Context, decide decideLayout) (Layout, error) {
	// The ID is named by the topic, and not by the environment: replicas with different environments must fence each
	// other here, so that the second reads what the first has recorded.
	id := c.cfg.clusterTopic(TopicLayout) + "-layout"
	producer, err := c.cfg.newTransactional(id, "")
	if err != nil {
		return Layout{}, err
	}
	defer producer.Close()
	if _, _, err := producer.ProducerID(ctx); err != nil {
		return Layout{}, initFailed(id, err)
	}
	had, err := c.readIdentity(ctx)
	if err != nil {
		return Layout{}, err
	}
	l, write, err := decide(had.Layouts, had.Env)
	if err != nil || !write {
		return l, err
	}
	value, err := json.Marshal(layoutRecord{Layout: l, Env: c.cfg.Env, Incarnation: had.Incarnation})
	if err != nil {
		return Layout{}, err
	}
	if err := producer.BeginTransaction(); err != nil {
		return Layout{}, newUnclearError(err)
	}
	// Without cancellation: a transaction that has begun must be brought to its end.
	res := producer.ProduceSync(context.WithoutCancel(ctx), &kgo.Record{
		Topic: c.cfg.clusterTopic(TopicLayout),
		Key:   []byte(strconv.FormatUint(uint64(l.Generation), 10)),
		Value: value,
	})
	if err := res.FirstErr(); err != nil {
		return Layout{}, newUnclearError(err)
	}
	if err := producer.commit(context.WithoutCancel(ctx)); err != nil {
		return Layout{}, newUnclearError(err)
	}
	return l, nil
}
