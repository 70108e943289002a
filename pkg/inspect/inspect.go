// Package inspect finds the records of the event topics at which readers stop, says why, and decides whether one may be
// quarantined. It owns no state: decisions are in the log (eventlog.Quarantine), and readers pass what is decided.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
)

// Finding is a record at which every reader stops.
type Finding struct {
	eventlog.TopicPartition
	Offset int64
	Hash   string
	Bytes  int
	At     time.Time
	// Problem is why readers stop.
	Problem error

	decoded bool
	id      string // of the aggregate
	version uint64
	// next is the offset of the event that has the version after this one; -1: there is none. ambiguous: it would also
	// follow the event before this one.
	next      int64
	ambiguous bool
}

// Scan reads partitions from their starts, and returns the records at which readers stop. Those that are quarantined
// already are not among them. It keeps the version of every order and SKU in memory.
func Scan(ctx context.Context, client *eventlog.Client, tps []eventlog.TopicPartition) ([]*Finding, error) {
	ends, err := client.StableOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	s := scan{versions: map[aggregate]uint64{}, open: map[aggregate][]*Finding{}}
	err = client.Read(ctx, nil, ends, func(rec *eventlog.Record) error {
		s.record(rec)
		return nil
	})
	return s.findings, err
}

type aggregate struct {
	eventlog.TopicPartition
	id string
}

type scan struct {
	versions map[aggregate]uint64
	open     map[aggregate][]*Finding // events that do not follow, until the next of their aggregate
	findings []*Finding
}

func (s *scan) record(rec *eventlog.Record) {
	id, version, err := decode(rec)
	if err != nil {
		s.found(rec, err)
		return
	}
	key := aggregate{rec.TopicPartition, id}
	before := s.versions[key]
	for _, f := range s.open[key] {
		if version == f.version+1 && f.next < 0 {
			f.next, f.ambiguous = rec.Offset, version == before+1
		}
	}
	if version == before+1 {
		s.versions[key] = version
		return
	}
	f := s.found(rec, fmt.Errorf("%s has version %d after %d", id, version, before))
	f.decoded, f.id, f.version = true, id, version
	s.open[key] = append(s.open[key], f)
}

func (s *scan) found(rec *eventlog.Record, err error) *Finding {
	f := &Finding{
		TopicPartition: rec.TopicPartition, Offset: rec.Offset, Hash: rec.Hash(), Bytes: len(rec.Value),
		At: time.UnixMicro(rec.TimestampMicros), Problem: err, next: -1,
	}
	s.findings = append(s.findings, f)
	return f
}

func decode(rec *eventlog.Record) (id string, version uint64, err error) {
	var m codec.Meta
	if rec.Topic == eventlog.TopicOrders {
		id, m, _, err = codec.DecodeOrder(rec.Value)
	} else {
		id, m, _, err = codec.DecodeInventory(rec.Value)
	}
	if err == nil && id == "" {
		err = errors.New("an event of nothing: it names no order and no SKU")
	}
	return id, m.Version, err
}

// Refused is why a record may not be quarantined.
type Refused struct{ why string }

// Error implements error.
func (r *Refused) Error() string { return r.why }

func refused(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// MayQuarantine is nil when a record may be quarantined: readers stop at it, and nothing that came later builds on it.
// f is what Scan found of the record; nil: nothing.
func MayQuarantine(raw *eventlog.RawRecord, f *Finding) error {
	switch {
	case raw.Quarantined != nil:
		return refused("it is quarantined already, by %s at %s: %s",
			raw.Quarantined.By, raw.Quarantined.At.UTC().Format(time.RFC3339), raw.Quarantined.Reason)
	case raw.State == eventlog.StateMarker:
		return refused("it is the marker that ends a transaction; readers pass it")
	case raw.State == eventlog.StateAborted:
		return refused("its transaction was aborted, so no reader sees it")
	case raw.State == eventlog.StateOpen:
		return refused("its transaction has not ended; the broker ends it after the time that its writer has set")
	case f == nil:
		return refused("every reader can read it: it is an event that follows the one before it, and what came later may " +
			"build on it. Correct what it says with a command, such as a stock count or a cancellation")
	case errors.Is(f.Problem, schema.ErrNewer) && raw.Transactional:
		return refused("a newer release wrote it: upgrade all services, and the command line. %v", f.Problem)
	case f.decoded && f.next >= 0 && (!f.ambiguous || raw.Transactional):
		return refused("the event at offset %d, version %d of %s, builds on it. Without it that event could not be read "+
			"either; restore the topics from a backup", f.next, f.version+1, f.id)
	}
	return nil
}

// Decodes reports whether the record is an event, though one that does not follow.
func (f *Finding) Decodes() bool { return f.decoded }
