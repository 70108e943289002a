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

// Fetch sizes. A read of the whole log wants few, large fetches from each broker. What partitions may bring together
// (fetchPartitionsBytes) stays well below what a fetch may (fetchMaxBytes): where the embedded broker ends a fetch in the
// middle of a partition, it leaves out which of the records there were aborted, and they would be taken for committed.
const (
	fetchMaxBytes        = 96 << 20
	fetchPartitionsBytes = 8 << 20
	stepPartitionBytes   = 128 << 10
	fetchMaxWait         = 500 * time.Millisecond
)

// OffsetError says that a read was to start where the log has nothing: below its start (deleted), or beyond
// its end (lost, or another cluster). Both mean that what was built on the log cannot be trusted to continue.
type OffsetError struct {
	TopicPartition
	// Offset is where the read was to start, or had got to.
	Offset int64
	// Start and End are the log's bounds; both -1 when the broker refused without saying.
	Start, End int64
}

// Error implements error.
func (e *OffsetError) Error() string {
	if e.End < 0 {
		return fmt.Sprintf("%s/%d: offset %d is out of the log's range", e.Topic, e.Partition, e.Offset)
	}
	return fmt.Sprintf("%s/%d: offset %d is out of the log's range %d to %d", e.Topic, e.Partition, e.Offset, e.Start, e.End)
}

// Read hands the committed records in [from, to) to fn, in order within each partition, until the position of
// every partition in to is reached. Positions count what readers do not see (transaction markers, aborted
// records), so it never waits for a record that is not there; it does wait for open transactions below to.
// A partition without a from starts at 0. A start that the log does not hold is an *OffsetError.
// The *Record is valid only during the call; its key, value and headers may be kept. An error from fn stops
// the read and is returned as it is.
func (c *Client) Read(ctx context.Context, from, to Offsets, fn func(*Record) error) error {
	return c.read(ctx, from, to, readerOptions{}, fn)
}

// ReadInStep is Read with the partitions side by side: one that is more than stepAhead of the slowest waits, by the
// records' timestamps. What belongs together comes together, wherever it is in the log: an order's events and those of its
// stock are in different topics, of which one is shorter.
func (c *Client) ReadInStep(ctx context.Context, from, to Offsets, fn func(*Record) error) error {
	return c.read(ctx, from, to, readerOptions{partitionBytes: stepPartitionBytes, inStep: true}, fn)
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
	var s *step
	if o.inStep {
		s = newStep(r, start)
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
			if r.positions[p.tp] >= end {
				continue // was fetched before it was paused
			}
			for _, kr := range p.records {
				if kr.Offset >= end {
					break
				}
				if kr.Attrs.IsControl() {
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
			if s != nil {
				s.reached(p, done)
			}
		}
		if s != nil {
			s.keep()
		}
	}
	return nil
}

// reader consumes partitions from explicit offsets and keeps their positions, control records included.
type reader struct {
	cfg       *Config
	kafka     *kgo.Client
	positions Offsets
	fetched   []partitionRecords // reused between polls
}

// partitionRecords are the records of one partition in one fetch; never empty.
type partitionRecords struct {
	tp      TopicPartition
	records []*kgo.Record
}

type readerOptions struct {
	metricsName string
	// lossy lets a reader go on at the log's start when records were deleted before it.
	lossy bool
	// partitionBytes bounds what is fetched of a partition at a time; 0: its share of fetchPartitionsBytes.
	partitionBytes int32
	// inStep lets partitions that are ahead of the others wait.
	inStep bool
}

// newReader checks the starts and opens a client for them.
func (c *Client) newReader(ctx context.Context, start Offsets, o readerOptions) (*reader, error) {
	if !o.lossy {
		if err := c.checkStarts(ctx, start); err != nil {
			return nil, err
		}
	}
	return c.openReader(start, o)
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
	partitionBytes := min(cmp.Or(o.partitionBytes, fetchPartitionsBytes), fetchPartitionsBytes/int32(max(1, len(start))))
	kafka, err := c.cfg.newClient(o.metricsName,
		kgo.ConsumePartitions(partitions),
		kgo.ConsumeResetOffset(reset),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.FetchMaxWait(fetchMaxWait),
	)
	if err != nil {
		return nil, err
	}
	return &reader{cfg: &c.cfg, kafka: kafka, positions: start.Clone()}, nil
}

// checkStarts names every start that the log does not hold.
func (c *Client) checkStarts(ctx context.Context, start Offsets) error {
	tps := make([]TopicPartition, 0, len(start))
	for tp := range start {
		tps = append(tps, tp)
	}
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
			errs = append(errs, &OffsetError{TopicPartition: tp, Offset: offset, Start: first[tp], End: end[tp]})
		}
	}
	return errors.Join(errs...)
}

// poll waits for records, control records included. What it returns is valid until the next poll.
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
				r.fetched = append(r.fetched, partitionRecords{tp, p.Records})
			}
		})
	}
	return r.fetched, nil
}

func (r *reader) fetchError(ctx context.Context, fetches kgo.Fetches) error {
	// What was fetched before ctx ended is not fetched again: it is handed over, and the next poll tells.
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
			err = &OffsetError{TopicPartition: tp, Offset: r.positions[tp], Start: -1, End: -1}
		case topic != "":
			err = fmt.Errorf("read %s/%d at offset %d: %w", tp.Topic, tp.Partition, r.positions[tp], err)
		}
		errs = append(errs, err)
	})
	return errors.Join(errs...)
}

// advance moves the partition's position behind its records and returns it.
func (r *reader) advance(p partitionRecords) int64 {
	next := p.records[len(p.records)-1].Offset + 1
	r.positions[p.tp] = next
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

// fromClientRecord is what was fetched, without its headers.
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
