package localstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// KeyOffset begins the keys of Offsets; a view has none that begin so.
const KeyOffset = 'p' // partition → next offset

// Offsets is how far a view's database has the log. It stands in the database itself, so that neither can be ahead of
// the other.
type Offsets struct {
	DB   *DB
	Next eventlog.Offsets
}

// ReadOffsets reads where a view goes on in each partition; 0: at the start.
func ReadOffsets(db *DB, partitions []eventlog.TopicPartition) (*Offsets, error) {
	o := &Offsets{db, eventlog.Offsets{}}
	for _, tp := range partitions {
		v, closer, err := db.Get(offsetKey(tp))
		switch {
		case errors.Is(err, pebble.ErrNotFound):
			o.Next[tp] = 0
			continue
		case err != nil:
			return nil, fmt.Errorf("read offsets: %w", db.Explain(err))
		case len(v) != 8:
			err = &DamagedError{db.dir, fmt.Errorf("the offset of partition %d has %d bytes", tp.Partition, len(v))}
		default:
			o.Next[tp] = int64(binary.BigEndian.Uint64(v))
		}
		if err = errors.Join(err, closer.Close()); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Commit commits a batch with the offsets that it reaches. It does not sync: what a power cut takes is read from the
// log again.
func (o *Offsets) Commit(b *pebble.Batch, reached eventlog.Offsets) error {
	for tp, next := range reached {
		if err := b.Set(offsetKey(tp), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	o.Next.Merge(reached)
	return nil
}

// DropIfAhead empties a database that has more than the log. An embedded broker that was killed may have lost its last
// writes.
func (o *Offsets) DropIfAhead(ctx context.Context, client *eventlog.Client, log *slog.Logger) error {
	tps := slices.Collect(maps.Keys(o.Next))
	// Not the stable offsets: a new leader of a partition may report those too low for a moment.
	end, err := client.EndOffsets(ctx, tps)
	if err != nil || end.Reaches(o.Next) {
		return err
	}
	log.Warn("the view is ahead of the log; building it again", "view", o.Next, "log", end)
	if err := o.DB.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		return fmt.Errorf("empty the view: %w", err)
	}
	for _, tp := range tps {
		o.Next[tp] = 0
	}
	return nil
}

func offsetKey(tp eventlog.TopicPartition) []byte {
	return binary.BigEndian.AppendUint32([]byte{KeyOffset}, uint32(tp.Partition))
}
