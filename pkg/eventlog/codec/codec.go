// Package codec turns events and state into bytes and back: record values of orders.events and inventory.events
// (schemas/holdfast/event/v1), and the values of a shard's checkpoint (schemas/holdfast/state/v1).
//
// It owns the mapping between the domain's types and the schema, nothing else: no topics, no keys, no schema registry
// format. It does not check what it decodes, beyond what every value has: a change that it knows, its meta, its levels,
// and IDs of 16 bytes. Enumerations keep their numbers: those of the domain are those of the schema.
//
// Each group of events has a file with both directions: setPayment fills the message of an event, readPayment makes an
// event of it. A new event or field touches that file and the samples of the tests.
package codec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Meta is the envelope of an event. Times are microseconds since the Unix epoch.
type Meta struct {
	EventID          [16]byte
	Version          uint64
	OccurredAtMicros int64
	RecordedAtMicros int64
	IdempotencyKey   string
	// Fingerprint is zero for events that follow from no client's key.
	Fingerprint [16]byte
	Cause       eventv1.Cause
	// CausationID is the event that led to this one; zero for none.
	CausationID [16]byte
	Generation  uint32
	Shard       uint32
	// Principal is zero where nobody knows who asked, and for events of another cause than a command.
	Principal Principal
}

// Principal is who asked for a command, such as {"alice@shop.example", false}.
type Principal struct {
	// Name is empty where it is unknown.
	Name string
	// Verified: Holdfast has proved it. Otherwise it is what the client says.
	Verified bool
}

// Errors of this package; test with errors.Is.
var (
	// ErrMalformed: the value is not a Protobuf message of its type.
	ErrMalformed = errors.New("malformed value")
	// ErrIncomplete: the value lacks something that every value has, or has an unknown change.
	ErrIncomplete = errors.New("incomplete value")
)

func malformed(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrMalformed, err)
}

// unreadable is the error of an event that schema could not read: it is malformed, or of a newer version.
func unreadable(what string, err error) error {
	if errors.Is(err, schema.ErrNewer) {
		return fmt.Errorf("%s: %w: %w", what, ErrIncomplete, err)
	}
	return malformed(what, err)
}

func incomplete(what, why string) error {
	return fmt.Errorf("%s: %w: %s", what, ErrIncomplete, why)
}

// message is a generated message.
type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
}

// appendMessage appends a message, and grows dst once, by exactly its size.
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

// metaScratch is the memory of a meta that is encoded. The message refers to what is beside it.
type metaScratch struct {
	message   eventv1.Meta
	principal eventv1.Principal
	from      Meta // keeps the arrays
}

// fill makes the message of m. It is valid until the next one.
func (s *metaScratch) fill(meta *Meta) *eventv1.Meta {
	s.from = *meta
	m, dst := &s.from, &s.message
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
	dst.Principal = nil
	if m.Principal != (Principal{}) {
		s.principal.Name, s.principal.Verified = m.Principal.Name, m.Principal.Verified
		dst.Principal = &s.principal
	}
	return dst
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
		Principal:        Principal{src.Principal.GetName(), src.Principal.GetVerified()},
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
