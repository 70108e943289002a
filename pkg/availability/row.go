package availability

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// progressKey is the record key of progress rows. A progress row has no SKU: it says up to which offset of a source
// partition all rows are in the topic. No SKU contains control characters, so that the key is never a SKU's.
const progressKey = "\x00progress"

// rowFormat is the format of the rows that this version writes. Format 0 had the levels alone, 1 added open work, 2 the
// references of transfers, 3 the version that clients see, and 4 metadata.
const rowFormat = 4

// errOldRow says that a row has an earlier format. Readers pass over such rows: the projector writes each of them
// again from the log.
var errOldRow = errors.New("a row of an earlier format")

// decodeRow decodes a record of the availability topic. A record that is not a row stops the reader: only projectors
// write to the topic, so the rows beside a foreign record cannot be trusted either.
func decodeRow(rec *eventlog.Record, row *eventv1.AvailabilityRow) error {
	row.Reset()
	err := row.UnmarshalVT(rec.Value)
	switch {
	case err != nil:
	case row.Sku == "" && string(rec.Key) != progressKey, row.Sku != "" && string(rec.Key) != row.Sku:
		err = fmt.Errorf("its key %q is not that of its row", rec.Key)
	case row.SourcePartition != rec.Partition:
		err = fmt.Errorf("it comes from partition %d", row.SourcePartition)
	case row.Format < rowFormat:
		return errOldRow
	case row.Format > rowFormat:
		return projector.Bad(rec, fmt.Errorf("a newer version has written it, in format %d; this one knows %d: upgrade",
			row.Format, rowFormat))
	default:
		return nil
	}
	return projector.Bad(rec, fmt.Errorf("it is not a row; delete the topic, it is built again: %w", err))
}

// encodeRow is the record of an item's row.
func encodeRow(row *eventv1.AvailabilityRow) (*eventlog.Record, error) { return encode(row.Sku, row) }

// encodeProgress is the record of a progress row: all rows of a source partition's events below next are written.
func encodeProgress(partition int32, next int64) (*eventlog.Record, error) {
	return encode(progressKey, &eventv1.AvailabilityRow{
		SourcePartition: partition, SourceOffset: next - 1, Format: rowFormat,
	})
}

func encode(key string, row *eventv1.AvailabilityRow) (*eventlog.Record, error) {
	v, err := row.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode the row of %q: %w", key, err)
	}
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicAvailability, Partition: row.SourcePartition},
		Key:            []byte(key), Value: v, TimestampMicros: time.Now().UnixMicro(),
	}, nil
}

// copyLevel copies quantities into the level that a row has, which is made where there is none.
func copyLevel(dst, src *eventv1.Level) *eventv1.Level {
	if src == nil {
		return nil
	}
	if dst == nil {
		dst = &eventv1.Level{}
	}
	dst.OnHand, dst.Available, dst.Incoming = src.OnHand, src.Available, src.Incoming
	dst.Reserved, dst.Committed, dst.SafetyStock = src.Reserved, src.Committed, src.SafetyStock
	dst.Damaged, dst.QualityControl = src.Damaged, src.QualityControl
	return dst
}

func copyMetadata(entries []*eventv1.MetadataEntry) []*eventv1.MetadataEntry {
	out := make([]*eventv1.MetadataEntry, len(entries))
	for i, e := range entries {
		out[i] = &eventv1.MetadataEntry{Key: e.Key, Value: e.Value}
	}
	return out
}
