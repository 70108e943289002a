package analytics

import (
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// add decodes a record and adds its rows, which are a function of the record alone. After an error the rows are as they
// were before.
func (r *rows) add(rec *eventlog.Record) error {
	switch rec.Topic {
	case eventlog.TopicOrders:
		return r.addOrder(rec)
	case eventlog.TopicInventory:
		return r.addStock(rec)
	}
	return fmt.Errorf("topic %s has no rows", rec.Topic)
}

// errEnvelope is also the error for a change that only a newer schema knows.
var errEnvelope = errors.New("an event without ID, aggregate, meta or a known change")

// The times that ClickHouse can store: the years 1900 to 2299.
const (
	minMicros = -2_208_988_800_000_000
	maxMicros = 10_413_791_999_999_999
)

// checkEnvelope checks the fields that every event has.
func checkEnvelope(meta *eventv1.Meta, aggregateID string) error {
	if meta == nil || aggregateID == "" || len(meta.EventId) != len(uuid.UUID{}) {
		return errEnvelope
	}
	if n := len(meta.CausationId); n != 0 && n != len(uuid.UUID{}) {
		return fmt.Errorf("a causation ID of %d bytes", n)
	}
	for _, micros := range []int64{meta.OccurredAtMicros, meta.RecordedAtMicros} {
		if micros < minMicros || micros > maxMicros {
			return fmt.Errorf("a time (%d µs) outside of the years 1900 to 2299", micros)
		}
	}
	return nil
}

// causes are the words for the kinds of input that a writer decides on.
var causes = map[eventv1.Cause]string{
	eventv1.Cause_CAUSE_COMMAND:        "command",
	eventv1.Cause_CAUSE_SAGA:           "saga",
	eventv1.Cause_CAUSE_TIMER:          "timer",
	eventv1.Cause_CAUSE_RECONCILIATION: "reconciliation",
}

// digestOf is the fingerprint of an event's bytes: the column digest.
func digestOf(rec *eventlog.Record) uint64 { return xxhash.Sum64(rec.Value) }
