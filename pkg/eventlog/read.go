package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Fetch sizes. A read of the whole log wants few, large fetches from each broker. All partitions of a fetch together
// (fetchPartitionsBytes) must stay well below the limit of the fetch (fetchMaxBytes). When the embedded broker ends a
// fetch in the middle of a partition, it leaves out which records there were aborted, and they would be read as
// committed.
const (
	fetchMaxBytes        = 96 << 20
	fetchPartitionsBytes = 8 << 20
	// smallPartitionBytes is for readers that must not get far in one partition before they read the others.
	smallPartitionBytes = 128 << 10
	fetchMaxWait        = 500 * time.Millisecond
	// seldomMaxWait is for topics in which nearly nothing is written. A broker answers as soon as something is.
	seldomMaxWait = 5 * time.Second
	// boundedMaxWait is for a read to an end that the log has: nothing that it waits for is still to be written. A fetch
	// that was sent while a partition was paused does not see that it goes on, and with the longer wait would hold up the
	// read for half a second: while a shard is acquired, nobody serves it.
	boundedMaxWait = 10 * time.Millisecond
)

// OffsetError means that a read should start where the log has nothing: beyond its end (records were lost, or this is
// another cluster), or in a topic that can be made again below its start. In both cases the reader must not go on from
// what it has built so far. Of a source topic, whose start is gone for ever, it is a *LogStartError instead.
type OffsetError struct {
	TopicPartition
	// Offset is where the read should start, or where it was when the broker refused.
	Offset int64
	// Start and End are the log's bounds. Both are -1 when the broker refused the offset without naming them.
	Start, End int64
}

// Error implements error.
func (e *OffsetError) Error() string {
	if e.End < 0 {
		return fmt.Sprintf("%s/%d: offset %d is out of the log's range", e.Topic, e.Partition, e.Offset)
	}
	return fmt.Sprintf("%s/%d: offset %d is out of the log's range %d to %d",
		e.Topic, e.Partition, e.Offset, e.Start, e.End)
}

// Read calls fn with the committed records in [from, to), in order within each partition, until every partition has
// reached its offset in to. Quarantined records are passed. A partition that is not in from starts at 0. A start that
// the log does not have is an *OffsetError, or a *LogStartError. Read waits for transactions below to that are open. It
// does not wait for a record at to - 1, which may never come: markers and aborted records have offsets too.
//
// The *Record is valid only during the call; its key, value and headers may be kept. An error of fn stops the read and
// is returned as it is.
func (c *Client) Read(ctx context.Context, from, to Offsets, fn func(*Record) error) error {
	return c.read(ctx, from, to, readerOptions{maxWait: boundedMaxWait}, fn)
}

// ReadMerged is Read with the partitions kept together in time: a partition that is more than mergeWindow ahead of the
// slowest one, by the records' timestamps, is paused. So an order's events and those of its stock come at about the
// same moment, although they are in different topics and one topic is longer than the other.
func (c *Client) ReadMerged(ctx context.Context, from, to Offsets, fn func(*Record) error) error {
	o := readerOptions{maxWait: boundedMaxWait, partitionBytes: smallPartitionBytes, merged: true}
	return c.read(ctx, from, to, o, fn)
}

func (c *Client) read(ctx context.Context, from, to Offsets, o readerOptions, fn func(*Record) error) error {
	start := make(Offsets, len(to))
	for tp, end := range to {
		if from[tp] < end {
			start[tp] = from[tp]
		}
	}
	if len(start) == 0 {
		return nil
	}
	r, err := c.newReader(ctx, start, o)
	if err != nil {
		return err
	}
	defer r.close()
	var merge *merger
	if o.merged {
		merge = newMerger(r, start)
	}
	remaining := len(start)
	var rec Record
	for remaining > 0 {
		fetches, err := r.poll(ctx)
		if err != nil {
			return err
		}
		for _, p := range fetches {
			end := to[p.tp]
			if r.reached[p.tp] >= end {
				continue // fetched before the partition was paused
			}
			for _, kr := range p.records {
				if kr.Offset >= end {
					break
				}
				if kr.Attrs.IsControl() || r.passed.has(p.tp, kr) {
					continue
				}
				rec = fromClientRecord(p.tp, kr)
				rec.Headers = fromClientHeaders(kr.Headers)
				if err := fn(&rec); err != nil {
					return err
				}
			}
			done := r.advance(p) >= end
			if done {
				remaining--
				r.pause(p.tp)
			}
			if merge != nil {
				merge.advance(p, done)
			}
		}
		if merge != nil {
			merge.balance()
		}
	}
	return nil
}

// readRaw calls fn with every record in [from, to) of a partition as it is in the log: control records, and those of
// open and aborted transactions, are among them. It ends when fn returns false.
func (c *Client) readRaw(
	ctx context.Context, tp TopicPartition, from, to int64, fn func(*kgo.Record) (more bool),
) error {
	r, err := c.newReader(ctx, Offsets{tp: from}, readerOptions{maxWait: boundedMaxWait, uncommitted: true})
	if err != nil {
		return err
	}
	defer r.close()
	for r.reached[tp] < to {
		fetches, err := r.poll(ctx)
		if err != nil {
			return err
		}
		for _, p := range fetches {
			for _, kr := range p.records {
				if kr.Offset >= to || !fn(kr) {
					return nil
				}
			}
			r.advance(p)
		}
	}
	return nil
}

// reader consumes partitions from explicit offsets and knows how far it is in each, control records included.
type reader struct {
	client  *Client // to ask
	cfg     *Config
	kafka   *kgo.Client
	reached Offsets
	passed  passedRecords
	fetched []partitionRecords // reused between polls
}

// partitionRecords are the records of one partition in one fetch. They are never empty.
type partitionRecords struct {
	tp      TopicPartition
	records []*kgo.Record
}

type readerOptions struct {
	metricsName string
	// lossy lets a reader continue at the log's start when the records at its offset were deleted.
	lossy bool
	// maxWait is how long a broker may wait for records that are still to be written; 0: fetchMaxWait.
	maxWait time.Duration
	// partitionBytes limits what is fetched of a partition at a time; 0: its share of fetchPartitionsBytes.
	partitionBytes int32
	// merged pauses partitions that are ahead of the others in time.
	merged bool
	// uncommitted reads the records of open and aborted transactions too.
	uncommitted bool
	// quarantined reads the records that readers pass.
	quarantined bool
}

// newReader checks that the log has the starts, asks what is quarantined, and opens a client for them.
func (c *Client) newReader(ctx context.Context, start Offsets, o readerOptions) (*reader, error) {
	if !o.lossy {
		if err := c.checkStarts(ctx, start); err != nil {
			return nil, err
		}
	}
	var passed passedRecords
	if !o.quarantined {
		var err error
		if passed, err = c.passedFrom(ctx, start); err != nil {
			return nil, err
		}
	}
	r, err := c.openReader(start, o)
	if err != nil {
		return nil, err
	}
	r.passed = passed
	return r, nil
}

func (c *Client) openReader(start Offsets, o readerOptions) (*reader, error) {
	partitions := make(map[string]map[int32]kgo.Offset)
	for tp, offset := range start {
		name := c.cfg.clusterTopic(tp.Topic)
		if partitions[name] == nil {
			partitions[name] = make(map[int32]kgo.Offset)
		}
		partitions[name][tp.Partition] = kgo.NewOffset().At(offset)
	}
	reset := kgo.NoResetOffset()
	if o.lossy {
		reset = kgo.NewOffset().AtStart()
	}
	isolation := kgo.ReadCommitted()
	if o.uncommitted {
		isolation = kgo.ReadUncommitted()
	}
	share := fetchPartitionsBytes / int32(max(1, len(start)))
	partitionBytes := min(cmp.Or(o.partitionBytes, fetchPartitionsBytes), share)
	kafka, err := c.cfg.newClient(o.metricsName,
		kgo.ConsumePartitions(partitions),
		kgo.ConsumeResetOffset(reset),
		kgo.FetchIsolationLevel(isolation),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.FetchMaxWait(cmp.Or(o.maxWait, fetchMaxWait)),
	)
	if err != nil {
		return nil, err
	}
	return &reader{client: c, cfg: &c.cfg, kafka: kafka, reached: start.Clone()}, nil
}

// checkStarts returns an *OffsetError or a *LogStartError for every start that the log does not have.
func (c *Client) checkStarts(ctx context.Context, start Offsets) error {
	tps := start.Partitions()
	first, err := c.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	end, err := c.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	var errs []error
	for tp, offset := range start {
		if offset < first[tp] || offset > end[tp] {
			err := outside(tp, offset, first[tp], end[tp])
			if _, cut := errors.AsType[*LogStartError](err); cut {
				c.countStartCut(tp)
			}
			errs = append(errs, err)
		} else {
			c.noteStart(tp, first[tp])
		}
	}
	return errors.Join(errs...)
}

// poll waits for records, control records included. The result is valid until the next poll.
func (r *reader) poll(ctx context.Context) ([]partitionRecords, error) {
	r.fetched = r.fetched[:0]
	for len(r.fetched) == 0 {
		fetches := r.kafka.PollFetches(ctx)
		if err := r.fetchError(ctx, fetches); err != nil {
			return nil, err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				tp := TopicPartition{r.cfg.ownTopic(p.Topic), p.Partition}
				if p.LogStartOffset > 0 {
					r.client.noteStart(tp, p.LogStartOffset)
				}
				r.fetched = append(r.fetched, partitionRecords{tp, p.Records})
			}
		})
	}
	return r.fetched, nil
}

func (r *reader) fetchError(ctx context.Context, fetches kgo.Fetches) error {
	// Records that were fetched before ctx ended are not fetched again, so return them; the next poll returns the error.
	if err := ctx.Err(); err != nil && fetches.NumRecords() == 0 {
		return err
	}
	var errs []error
	fetches.EachError(func(topic string, partition int32, err error) {
		tp := TopicPartition{r.cfg.ownTopic(topic), partition}
		switch {
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return
		case errors.Is(err, kerr.OffsetOutOfRange):
			err = r.outOfRange(ctx, tp)
		case topic != "":
			err = fmt.Errorf("read %s/%d at offset %d: %w", tp.Topic, tp.Partition, r.reached[tp], err)
		}
		errs = append(errs, err)
	})
	return errors.Join(errs...)
}

// outOfRange is why a broker refused the reader's offset in a partition.
func (r *reader) outOfRange(ctx context.Context, tp TopicPartition) error {
	err := r.client.checkStarts(ctx, Offsets{tp: r.reached[tp]})
	var gone *LogStartError
	var offset *OffsetError
	if errors.As(err, &gone) || errors.As(err, &offset) {
		return err
	}
	return &OffsetError{TopicPartition: tp, Offset: r.reached[tp], Start: -1, End: -1}
}

// advance moves the partition past its records and returns where it is now.
func (r *reader) advance(p partitionRecords) int64 {
	next := p.records[len(p.records)-1].Offset + 1
	r.reached[p.tp] = next
	return next
}

func (r *reader) pause(tps ...TopicPartition) { r.kafka.PauseFetchPartitions(r.clusterPartitions(tps)) }

func (r *reader) resume(tps ...TopicPartition) {
	r.kafka.ResumeFetchPartitions(r.clusterPartitions(tps))
}

func (r *reader) clusterPartitions(tps []TopicPartition) map[string][]int32 {
	partitions := make(map[string][]int32)
	for _, tp := range tps {
		name := r.cfg.clusterTopic(tp.Topic)
		partitions[name] = append(partitions[name], tp.Partition)
	}
	return partitions
}

func (r *reader) close() { r.kafka.Close() }

// fromClientRecord converts a record of the client, without its headers.
func fromClientRecord(tp TopicPartition, kr *kgo.Record) Record {
	return Record{
		TopicPartition: tp, Offset: kr.Offset, Key: kr.Key, Value: kr.Value,
		TimestampMicros: kr.Timestamp.UnixMicro(),
	}
}

func fromClientHeaders(from []kgo.RecordHeader) []Header {
	headers := make([]Header, len(from))
	for i, h := range from {
		headers[i] = Header(h)
	}
	return headers
}
