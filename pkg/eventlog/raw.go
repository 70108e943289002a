package eventlog

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// RawRecord is a record as it is in the log, with what the broker knows of who wrote it.
type RawRecord struct {
	Record
	ProducerID    int64
	ProducerEpoch int16
	// Transactional: it was written in a transaction, as all events are.
	Transactional bool
	State         RecordState
	// Quarantined is the decision that readers pass the record; nil: there is none.
	Quarantined *Quarantine
}

// RecordState says which readers see a record.
type RecordState string

// The states.
const (
	StateCommitted RecordState = "committed"
	StateAborted   RecordState = "aborted" // with its transaction: no reader sees it
	StateOpen      RecordState = "open"    // its transaction has not ended
	StateMarker    RecordState = "marker"  // it ends a transaction, and is no record for readers
)

// RawRecord reads one record as it is in the log.
func (c *Client) RawRecord(ctx context.Context, tp TopicPartition, offset int64) (*RawRecord, error) {
	tps := []TopicPartition{tp}
	end, err := c.EndOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	if offset >= end[tp] {
		return nil, fmt.Errorf("%s/%d has no record at offset %d: it ends at %d", tp.Topic, tp.Partition, offset, end[tp])
	}
	var raw *RawRecord
	err = c.readRaw(ctx, tp, offset, end[tp], func(kr *kgo.Record) bool {
		if kr.Offset == offset {
			raw = &RawRecord{
				Record: fromClientRecord(tp, kr), ProducerID: kr.ProducerID, ProducerEpoch: kr.ProducerEpoch,
				Transactional: kr.Attrs.IsTransactional(), State: StateCommitted,
			}
			raw.Headers = fromClientHeaders(kr.Headers)
			if kr.Attrs.IsControl() {
				raw.State = StateMarker
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, fmt.Errorf("%s/%d has no record at offset %d", tp.Topic, tp.Partition, offset)
	}
	return raw, c.judge(ctx, raw)
}

// judge finds out whether a transaction has made a record visible, and whether it is quarantined.
func (c *Client) judge(ctx context.Context, raw *RawRecord) error {
	tp, offset := raw.TopicPartition, raw.Offset
	all, err := c.Quarantines(ctx)
	if err != nil {
		return err
	}
	hash := raw.Hash()
	if i := slices.IndexFunc(all, func(q Quarantine) bool {
		return TopicPartition{q.Topic, q.Partition} == tp && q.Offset == offset && q.SHA256 == hash
	}); i >= 0 {
		raw.Quarantined = &all[i]
	}
	if raw.State == StateMarker || !raw.Transactional || raw.Quarantined != nil {
		return nil
	}
	stable, err := c.StableOffsets(ctx, []TopicPartition{tp})
	if err != nil {
		return err
	}
	if offset >= stable[tp] {
		raw.State = StateOpen
		return nil
	}
	raw.State = StateAborted
	return c.Read(ctx, Offsets{tp: offset}, Offsets{tp: offset + 1}, func(*Record) error {
		raw.State = StateCommitted
		return nil
	})
}
