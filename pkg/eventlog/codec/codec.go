// Package codec turns events and state into bytes and back: record values of orders.events and
// inventory.events (schemas/holdfast/event/v1), and what a shard's checkpoint keeps
// (schemas/holdfast/state/v1).
//
// It owns the mapping between the domain's types and the schema, nothing else: no topics, no keys, no
// schema registry framing. What it decodes it does not judge, beyond what a value needs to have: a
// change that it knows, its meta, its levels, and IDs of 16 bytes. Enumerations pass as they are.
package codec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Meta is what an event's envelope says. Times are microseconds since the Unix epoch.
type Meta struct {
	EventID          [16]byte
	Version          uint64
	OccurredAtMicros int64
	RecordedAtMicros int64
	IdempotencyKey   string
	// Fingerprint is zero for events that no client's key asked for.
	Fingerprint [16]byte
	Cause       eventv1.Cause
	// CausationID is zero for events that no other event led to.
	CausationID [16]byte
	Generation  uint32
	Shard       uint32
}

// Errors of this package; test with errors.Is.
var (
	// ErrMalformed: the value is no Protobuf message of its type.
	ErrMalformed = errors.New("malformed value")
	// ErrIncomplete: the value lacks something that every value has, or has a change that is not known.
	ErrIncomplete = errors.New("incomplete value")
)

func malformed(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
}

// unreadable tells an event of a newer version from one that is none.
func unreadable(what string, err error) error {
	if errors.Is(err, schema.ErrNewer) {
		return fmt.Errorf("%s: %w: %w", what, ErrIncomplete, err)
	}
	return malformed(what, err)
}

func incomplete(what, why string) error {
	return fmt.Errorf("%s: %w: %s", what, ErrIncomplete, why)
}

// message is what the generated code offers for marshalling.
type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// appendMessage appends a message in exactly the room that it needs.
func appendMessage(dst []byte, m message) ([]byte, error) {
	size := m.SizeVT()
	dst = slices.Grow(dst, size)
	n := len(dst)
	dst = dst[:n+size]
	if _, err := m.MarshalToSizedBufferVT(dst[n:]); err != nil {
		return dst[:n], fmt.Errorf("marshal: %w", err)
	}
	return dst, nil
}

// optionalID leaves a zero ID out.
func optionalID(id *[16]byte) []byte {
	if *id == ([16]byte{}) {
		return nil
	}
	return id[:]
}

// readID reads 16 bytes; optional ones may be absent.
func readID(dst *[16]byte, src []byte, what string, optional bool) error {
	if len(src) == 0 && optional {
		*dst = [16]byte{}
		return nil
	}
	if len(src) != len(dst) {
		return incomplete(what, fmt.Sprintf("%d bytes instead of 16", len(src)))
	}
	copy(dst[:], src)
	return nil
}

// fillMeta writes m into dst, which shares m's arrays until it is marshalled.
func fillMeta(dst *eventv1.Meta, m *Meta) {
	dst.EventId = m.EventID[:]
	dst.Version = m.Version
	dst.OccurredAtMicros = m.OccurredAtMicros
	dst.RecordedAtMicros = m.RecordedAtMicros
	dst.IdempotencyKey = m.IdempotencyKey
	dst.Fingerprint = optionalID(&m.Fingerprint)
	dst.Cause = m.Cause
	dst.CausationId = optionalID(&m.CausationID)
	dst.Generation = m.Generation
	dst.Shard = m.Shard
}

func readMeta(src *eventv1.Meta) (Meta, error) {
	if src == nil {
		return Meta{}, incomplete("meta", "missing")
	}
	m := Meta{
		Version:          src.Version,
		OccurredAtMicros: src.OccurredAtMicros,
		RecordedAtMicros: src.RecordedAtMicros,
		IdempotencyKey:   src.IdempotencyKey,
		Cause:            src.Cause,
		Generation:       src.Generation,
		Shard:            src.Shard,
	}
	if err := readID(&m.EventID, src.EventId, "meta.event_id", false); err != nil {
		return Meta{}, err
	}
	if err := readID(&m.Fingerprint, src.Fingerprint, "meta.fingerprint", true); err != nil {
		return Meta{}, err
	}
	if err := readID(&m.CausationID, src.CausationId, "meta.causation_id", true); err != nil {
		return Meta{}, err
	}
	return m, nil
}
