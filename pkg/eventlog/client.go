package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Client administers the topics, reads, and appends records outside of transactions. Those are records that are not
// events, such as availability rows. It is safe for concurrent use.
type Client struct {
	cfg   Config
	kafka *kgo.Client
	admin *kadm.Client

	followers   atomic.Int64 // numbers the followers, for their metrics
	quarantines quarantines
	identities  identities
	startCut    *prometheus.GaugeVec
	startsGone  sync.Map // partitions whose deleted start was logged
}

// Limits on requests about something that not every broker knows yet.
const (
	retryPause   = 50 * time.Millisecond
	adminTimeout = 30 * time.Second
	// unknownTopicTimeout is after how long a topic that no broker knows does not exist.
	unknownTopicTimeout = 5 * time.Second
)

// Open checks the configuration and returns a client. It does not connect: the first call does.
func Open(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg.withDefaults()}
	var err error
	if c.startCut, err = newStartCut(c.cfg.Registerer); err != nil {
		return nil, err
	}
	c.kafka, err = c.cfg.newClient("client",
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
	)
	if err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.kafka)
	return c, nil
}

// Config is the client's configuration, including the certificates that it has read. Open later writers and groups with
// it: they can use these certificates even if the files have become invalid.
func (c *Client) Config() Config { return c.cfg }

// Close releases the connections. Readers and writers have connections of their own, and stay open.
func (c *Client) Close() { c.kafka.Close() }

// Ping sends a request to any broker. When brokers refuse this client, the error says which setting to change.
func (c *Client) Ping(ctx context.Context) error { return c.cfg.Security.explain(c.kafka.Ping(ctx)) }

// Produce appends the records outside of a transaction, idempotently, and waits until all in-sync replicas have all of
// them. It sets each record's Offset. After an error some of the records may have been appended.
func (c *Client) Produce(ctx context.Context, recs []*Record) error {
	out := make([]*kgo.Record, len(recs))
	for i, r := range recs {
		if n := r.Size(); n > MaxRecordBytes {
			return fmt.Errorf("%s/%d: a record of %d bytes is over the limit of %d",
				r.Topic, r.Partition, n, MaxRecordBytes)
		}
		out[i] = &kgo.Record{
			Topic: c.cfg.clusterTopic(r.Topic), Partition: r.Partition,
			Key: r.Key, Value: r.Value, Timestamp: r.timestamp(), Headers: toClientHeaders(nil, r.Headers),
		}
	}
	if err := c.kafka.ProduceSync(ctx, out...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	for i, r := range recs {
		r.Offset = out[i].Offset
	}
	return nil
}

// IsTopicGone reports whether an error says that a topic does not exist, or that it was made again.
func IsTopicGone(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// EndOffsets are the ends of the partitions including open transactions (Kafka's high watermark).
func (c *Client) EndOffsets(ctx context.Context, tps []TopicPartition) (Offsets, error) {
	return c.listOffsets(ctx, tps, "end", c.admin.ListEndOffsets)
}

// StableOffsets are the ends of what a read-committed reader can see now (Kafka's last stable offset).
func (c *Client) StableOffsets(ctx context.Context, tps []TopicPartition) (Offsets, error) {
	return c.listOffsets(ctx, tps, "stable", c.admin.ListCommittedOffsets)
}

// StartOffsets are the first offsets that the partitions still have.
func (c *Client) StartOffsets(ctx context.Context, tps []TopicPartition) (Offsets, error) {
	return c.listOffsets(ctx, tps, "start", c.admin.ListStartOffsets)
}

// listOffsets asks until every partition has an answer. After a change of leader some brokers are not ready to answer,
// and not every broker knows a new topic at once.
func (c *Client) listOffsets(
	ctx context.Context, tps []TopicPartition, which string,
	list func(context.Context, ...string) (kadm.ListedOffsets, error),
) (Offsets, error) {
	if len(tps) == 0 {
		return Offsets{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	began := time.Now()
	for {
		offsets, err := c.tryListOffsets(ctx, tps, list)
		if err == nil {
			return offsets, nil
		}
		unknown := errors.Is(err, kerr.UnknownTopicOrPartition) && time.Since(began) > unknownTopicTimeout
		if unknown || !kerr.IsRetriable(err) {
			if brokers, ok := errors.AsType[*kadm.ShardErrors](err); ok && len(brokers.Errs) > 0 {
				err = brokers.Errs[0].Err // the others say the same of other brokers
			}
			return nil, fmt.Errorf("%s offsets: %w", which, err)
		}
		if backoff.Sleep(ctx, retryPause) != nil {
			return nil, fmt.Errorf("%s offsets: gave up: %w", which, err)
		}
	}
}

func (c *Client) tryListOffsets(
	ctx context.Context, tps []TopicPartition,
	list func(context.Context, ...string) (kadm.ListedOffsets, error),
) (Offsets, error) {
	var topics []string
	seen := make(map[string]bool)
	for _, tp := range tps {
		if !seen[tp.Topic] {
			seen[tp.Topic] = true
			topics = append(topics, c.cfg.clusterTopic(tp.Topic))
		}
	}
	listed, err := list(ctx, topics...)
	if err != nil {
		return nil, err
	}
	offsets := make(Offsets, len(tps))
	for _, tp := range tps {
		o, ok := listed.Lookup(c.cfg.clusterTopic(tp.Topic), tp.Partition)
		if !ok {
			return nil, fmt.Errorf("%s/%d: %w", tp.Topic, tp.Partition, kerr.UnknownTopicOrPartition)
		}
		if o.Err != nil {
			return nil, fmt.Errorf("%s/%d: %w", tp.Topic, tp.Partition, o.Err)
		}
		offsets[tp] = o.Offset
	}
	return offsets, nil
}

// TopicIDs are the IDs that brokers gave the topics when they were created. A topic that was deleted and created again
// has another one.
func (c *Client) TopicIDs(ctx context.Context, topics ...string) ([][16]byte, error) {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = c.cfg.clusterTopic(topic)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	details, err := c.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("ask for the topics' IDs: %w", err)
	}
	ids := make([][16]byte, len(topics))
	for i, name := range names {
		if err := details[name].Err; err != nil || !details.Has(name) {
			return nil, fmt.Errorf("ask for the ID of topic %s: %w", name, cmp.Or(err, error(kerr.UnknownTopicOrPartition)))
		}
		ids[i] = details[name].ID
	}
	return ids, nil
}

// PlatformID tells this platform from all others, of this cluster or another, that have or had the same names: it is
// the ID of the layout topic. It is empty where brokers give topics no IDs.
func (c *Client) PlatformID(ctx context.Context) (string, error) {
	ids, err := c.TopicIDs(ctx, TopicLayout)
	if err != nil || ids[0] == [16]byte{} {
		return "", err
	}
	return uuid.UUID(ids[0]).String(), nil
}

// toClientHeaders appends the headers in the client's form.
func toClientHeaders(dst []kgo.RecordHeader, headers []Header) []kgo.RecordHeader {
	for _, h := range headers {
		dst = append(dst, kgo.RecordHeader(h))
	}
	return dst
}
