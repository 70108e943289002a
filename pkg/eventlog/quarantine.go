package eventlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Quarantine is a decision that no reader reads a record: it was not written by Holdfast, and cannot be read as an
// event. The record stays in the log, and so does the decision. All readers pass exactly this record: another one at
// its place is not passed.
type Quarantine struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// SHA256 is the record's Hash.
	SHA256 string    `json:"sha256"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// quarantinePoll is how often somebody who has stopped at a record asks whether it is quarantined.
const quarantinePoll = time.Second

var quarantineTP = TopicPartition{Topic: TopicQuarantine}

// quarantines are the decisions as far as a client has read them.
type quarantines struct {
	mu     sync.Mutex
	exists bool // the topic; platforms of before get it when a service starts
	next   int64
	all    []Quarantine
}

// Hash is the SHA-256 of a record's key, value and headers, in hexadecimal.
func (r *Record) Hash() string {
	sum := sha256.New()
	add := func(b []byte) {
		_ = binary.Write(sum, binary.BigEndian, int64(len(b))) // a hash does not fail
		_, _ = sum.Write(b)
	}
	add(r.Key)
	add(r.Value)
	for _, h := range r.Headers {
		add([]byte(h.Key))
		add(h.Value)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Quarantines are all decisions up to now, in the order in which they were taken.
func (c *Client) Quarantines(ctx context.Context) ([]Quarantine, error) {
	q := &c.quarantines
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := c.readQuarantines(ctx); err != nil {
		return nil, fmt.Errorf("read which records are quarantined: %w", err)
	}
	return slices.Clone(q.all), nil
}

// readQuarantines reads the decisions that are new. mu must be locked.
func (c *Client) readQuarantines(ctx context.Context) error {
	q := &c.quarantines
	if !q.exists {
		partitions, err := c.partitionCount(ctx, TopicQuarantine)
		if err != nil || partitions == 0 {
			return err
		}
		q.exists = true
	}
	end, err := c.EndOffsets(ctx, []TopicPartition{quarantineTP})
	if err != nil {
		return err
	}
	if end[quarantineTP] < q.next { // the topic was made again
		q.next, q.all = 0, nil
	}
	var read []Quarantine
	err = c.Read(ctx, Offsets{quarantineTP: q.next}, end, func(r *Record) error {
		var decision Quarantine
		if err := json.Unmarshal(r.Value, &decision); err != nil {
			return fmt.Errorf("%s: offset %d is not a decision: %w", TopicQuarantine, r.Offset, err)
		}
		read = append(read, decision)
		return nil
	})
	if err != nil {
		return err
	}
	q.next, q.all = end[quarantineTP], append(q.all, read...)
	return nil
}

// Quarantine writes a decision down.
func (c *Client) Quarantine(ctx context.Context, q Quarantine) error {
	value, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if _, err := c.createTopic(ctx, TopicQuarantine, 1, keepForEver(c.cfg.Embedded)); err != nil {
		return err
	}
	return c.Produce(ctx, []*Record{{TopicPartition: quarantineTP, Value: value}})
}

// AwaitQuarantine waits until one of the records is quarantined, and reports whether one is. It is not when ctx has
// ended. Brokers that do not answer are asked again.
func (c *Client) AwaitQuarantine(ctx context.Context, offsets func() Offsets) bool {
	for {
		stopped := offsets()
		if len(stopped) > 0 {
			all, _ := c.Quarantines(ctx)
			for _, q := range all {
				if offset, ok := stopped[TopicPartition{q.Topic, q.Partition}]; ok && offset == q.Offset {
					return true
				}
			}
		}
		if backoff.Sleep(ctx, quarantinePoll) != nil {
			return false
		}
	}
}

// passedRecords are the hashes of records that a reader does not read, by place.
type passedRecords map[TopicPartition]map[int64]string

// passedFrom are the quarantined records of the partitions.
func (c *Client) passedFrom(ctx context.Context, start Offsets) (passedRecords, error) {
	events := false
	for tp := range start {
		events = events || tp.Topic == TopicOrders || tp.Topic == TopicInventory
	}
	if !events {
		return nil, nil
	}
	all, err := c.Quarantines(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	passed := passedRecords{}
	for _, q := range all {
		tp := TopicPartition{q.Topic, q.Partition}
		if passed[tp] == nil {
			passed[tp] = map[int64]string{}
		}
		passed[tp][q.Offset] = q.SHA256
	}
	return passed, nil
}

// has reports whether a record is to be passed.
func (p passedRecords) has(tp TopicPartition, kr *kgo.Record) bool {
	hash, ok := p[tp][kr.Offset]
	if !ok {
		return false
	}
	rec := fromClientRecord(tp, kr)
	rec.Headers = fromClientHeaders(kr.Headers)
	return rec.Hash() == hash
}
