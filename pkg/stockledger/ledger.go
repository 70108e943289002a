package stockledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Entry is an event of an item as the ledger shows it.
type Entry struct {
	Version    uint64    `json:"version"` // of the item after the event
	Type       string    `json:"type"`
	Position   string    `json:"position"` // after the event; as as_of it asks for stock as the event left it
	EventID    string    `json:"event_id"`
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
	Cause      string    `json:"cause"`
	// Principal is nil where it is unknown, and for other causes than a command.
	Principal      *Principal `json:"principal,omitempty"`
	IdempotencyKey string     `json:"idempotency_key,omitempty"`
	CausationID    string     `json:"causation_id,omitempty"` // of the event that led to it
	OrderID        string     `json:"order_id,omitempty"`
	Reference      string     `json:"reference,omitempty"`
	TransferID     string     `json:"transfer_id,omitempty"`
	Reason         string     `json:"reason,omitempty"`
	// Locations are those that changed.
	Locations []Movement `json:"locations"`
	Total     Level      `json:"total"`
	// Details are all fields of the event, named as in the event schema.
	Details json.RawMessage `json:"details"`

	offset int64
}

// Principal is who asked for a command.
type Principal struct {
	Name     string `json:"name"`
	Verified bool   `json:"verified"` // false: it is what the client said
}

// Movement is what an event changed at a location, and the level after it.
type Movement struct {
	Location string `json:"location"`
	Delta    Delta  `json:"delta"`
	Level    Level  `json:"level"`
}

// Level is how much there is of an item, in units. Backordered is what is promised and not there. All locations
// together have the available units of some, and what is backordered at others.
type Level struct {
	Available      int64 `json:"available"`
	Backordered    int64 `json:"backordered"`
	OnHand         int64 `json:"on_hand"`
	Reserved       int64 `json:"reserved"`
	Committed      int64 `json:"committed"`
	SafetyStock    int64 `json:"safety_stock"`
	Damaged        int64 `json:"damaged"`
	QualityControl int64 `json:"quality_control"`
	Incoming       int64 `json:"incoming"`
}

// Delta is by how much each quantity of a level changed; those that stayed are left out.
type Delta struct {
	Available      int64 `json:"available,omitempty"`
	Backordered    int64 `json:"backordered,omitempty"`
	OnHand         int64 `json:"on_hand,omitempty"`
	Reserved       int64 `json:"reserved,omitempty"`
	Committed      int64 `json:"committed,omitempty"`
	SafetyStock    int64 `json:"safety_stock,omitempty"`
	Damaged        int64 `json:"damaged,omitempty"`
	QualityControl int64 `json:"quality_control,omitempty"`
	Incoming       int64 `json:"incoming,omitempty"`
}

// shownLevel is the level of a location: of an event, which has available less backordered in one number.
func shownLevel(l *eventv1.Level) Level {
	return Level{
		Available: max(0, l.GetAvailable()), Backordered: max(0, -l.GetAvailable()), OnHand: l.GetOnHand(),
		Reserved: l.GetReserved(), Committed: l.GetCommitted(), SafetyStock: l.GetSafetyStock(),
		Damaged: l.GetDamaged(), QualityControl: l.GetQualityControl(), Incoming: l.GetIncoming(),
	}
}

// shownTotal is the level of all locations of a row together; nil: there is nothing.
func shownTotal(row *eventv1.AvailabilityRow) Level {
	total := shownLevel(row.GetTotal())
	total.Available, total.Backordered = 0, 0
	for _, l := range row.GetLocations() {
		total.Available += max(0, l.Level.GetAvailable())
		total.Backordered += max(0, -l.Level.GetAvailable())
	}
	return total
}

// since is by how much a level differs from the one before.
func (l Level) since(before Level) Delta {
	return Delta{
		l.Available - before.Available, l.Backordered - before.Backordered, l.OnHand - before.OnHand,
		l.Reserved - before.Reserved, l.Committed - before.Committed, l.SafetyStock - before.SafetyStock,
		l.Damaged - before.Damaged, l.QualityControl - before.QualityControl, l.Incoming - before.Incoming,
	}
}

// Question asks for a page of an item's ledger.
type Question struct {
	Moment asof.Moment
	// Location is the one whose events are asked for; empty: all events.
	Location string
	// From is the offset from which the page goes: to older events from below it, or with Newer to newer ones from it on.
	// 0: the newest page.
	From  int64
	Newer bool
	Limit int
}

// Page is a page of an item's ledger, its newest entry first.
type Page struct {
	Entries []Entry
	// Older and Newer are where the pages before and after begin; 0: there is none.
	Older, Newer int64
}

// MaxWalked bounds how many events a page looks at. A page of a location that few of them changed may have fewer
// entries than it could, and goes on with the next one.
const MaxWalked = 10_000

// Ledger returns a page of an item's ledger. ok is false where the item was not registered at the moment. text writes a
// position.
func (s *Store) Ledger(
	ctx context.Context, sku string, q *Question, text func(eventlog.Position) string,
) (page Page, ok bool, err error) {
	r, err := s.read()
	if err != nil {
		return Page{}, false, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	row, err := r.rowAt(sku, &q.Moment)
	if err != nil || row == nil {
		return Page{}, false, err
	}
	page, err = r.page(ctx, sku, q, text)
	return page, true, err
}

// page finds the events of a page, and shows them with what they changed.
func (r *reader) page(ctx context.Context, sku string, q *Question, text func(eventlog.Position) string) (Page, error) {
	found, err := r.walk(ctx, sku, q)
	if err != nil || len(found.events) == 0 {
		return Page{Older: found.older, Newer: found.newer}, err
	}
	row, err := r.rowBefore(sku, found.events[0].offset)
	if err != nil {
		return Page{}, err
	}
	page := Page{Older: found.older, Newer: found.newer}
	tp := r.partition(sku)
	for _, e := range found.events {
		if !found.wanted[e.offset] {
			availability.Apply(row, e.InventoryEvent, e.offset)
			continue
		}
		shown, err := shownEntry(row, e)
		if err != nil {
			return Page{}, err
		}
		availability.Apply(row, e.InventoryEvent, e.offset)
		shown.Total = shownTotal(row)
		shown.Position = text(eventlog.PositionOf(eventlog.Offsets{tp: e.offset + 1}))
		page.Entries = append(page.Entries, shown)
	}
	slices.Reverse(page.Entries)
	return page, nil
}

// walked is what a walk over an item's events has found.
type walked struct {
	events       []*event // oldest first, without gaps
	wanted       map[int64]bool
	older, newer int64
}

// walk goes over the events of an item until a page is full.
func (r *reader) walk(ctx context.Context, sku string, q *Question) (*walked, error) {
	w := &walked{wanted: map[int64]bool{}}
	end, err := r.endAt(sku, &q.Moment)
	if err != nil {
		return nil, err
	}
	next, ok := r.it.Prev, false
	switch {
	case q.Newer:
		next, ok = r.it.Next, r.it.SeekGE(offsetKey(nil, keyEvent, sku, q.From))
	case q.From > 0:
		ok = r.it.SeekLT(offsetKey(nil, keyEvent, sku, min(q.From, end)))
	default:
		ok = r.it.SeekLT(offsetKey(nil, keyEvent, sku, end))
	}
	tp := r.partition(sku)
	for ; ok && r.in(keyEvent, sku) && offsetOf(r.it.Key()) < end; ok = next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := r.event()
		if err != nil {
			return nil, err
		}
		if len(w.wanted) == q.Limit || len(w.events) == MaxWalked {
			w.goesOn(q.Newer)
			break
		}
		w.events = append(w.events, e)
		at := asof.Event{
			TopicPartition: tp, Offset: e.offset, RecordedMicros: e.recorded, OccurredMicros: e.Meta.OccurredAtMicros,
		}
		if q.Moment.Has(&at) && (q.Location == "" || touches(e, q.Location)) {
			w.wanted[e.offset] = true
		}
	}
	if !q.Newer {
		slices.Reverse(w.events)
	}
	if len(w.events) > 0 && q.Newer {
		w.older = w.events[0].offset
	}
	if len(w.events) > 0 && !q.Newer && q.From > 0 {
		w.newer = q.From
	}
	return w, r.error()
}

// endAt is the offset below which an item's events lie that count at a moment. By the occurred clock any may count.
func (r *reader) endAt(sku string, m *asof.Moment) (int64, error) {
	switch {
	case m.ByPosition():
		return m.Position.End(r.partition(sku)), nil
	case m.IsNow() || m.Occurred:
		return maxOffset, nil
	}
	return r.recordedEnd(sku, m.Micros)
}

// goesOn notes that there are more events than the page has, in the direction of the walk.
func (w *walked) goesOn(newer bool) {
	last := w.events[len(w.events)-1].offset
	if newer {
		w.newer = last + 1
	} else {
		w.older = last
	}
}

func touches(e *event, location string) bool {
	return slices.ContainsFunc(e.Locations, func(l *eventv1.LocationLevel) bool { return l.Location == location })
}

// shownEntry shows an event, but for its total; before is the row of its item before it.
func shownEntry(before *eventv1.AvailabilityRow, e *event) (Entry, error) {
	name, _ := schema.Name(e.InventoryEvent)
	shown := Entry{
		Version: e.Meta.Version, Type: name, offset: e.offset,
		EventID: idText(e.Meta.EventId), CausationID: idText(e.Meta.CausationId),
		OccurredAt: time.UnixMicro(e.Meta.OccurredAtMicros).UTC(), RecordedAt: time.UnixMicro(e.Meta.RecordedAtMicros).UTC(),
		Cause: schema.Causes.Word(e.Meta.Cause), IdempotencyKey: e.Meta.IdempotencyKey,
		Locations: []Movement{},
	}
	if p := e.Meta.Principal; p != nil {
		shown.Principal = &Principal{p.Name, p.Verified}
	}
	for _, l := range e.Locations {
		level := shownLevel(l.Level)
		delta := level.since(shownLevel(levelAt(before, l.Location)))
		shown.Locations = append(shown.Locations, Movement{l.Location, delta, level})
	}
	change := changeOf(e.InventoryEvent)
	shown.OrderID, shown.Reference = reservationOf(e.InventoryEvent).GetOrderId(), member(change, "reference")
	shown.TransferID, shown.Reason = member(change, "transfer_id"), member(change, "reason")
	var err error
	if shown.Details, err = schema.AppendJSON(nil, change.Interface()); err != nil {
		return Entry{}, fmt.Errorf("show event %s of %s: %w", shown.EventID, e.Sku, err)
	}
	return shown, nil
}

// changeOf is the change that an event has.
func changeOf(ev *eventv1.InventoryEvent) protoreflect.Message {
	m := ev.ProtoReflect()
	return m.Get(m.WhichOneof(m.Descriptor().Oneofs().ByName("change"))).Message()
}

// member is a field of a message as text; "" where the message has no such field.
func member(m protoreflect.Message, name protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(name)
	switch {
	case f == nil || !m.Has(f):
		return ""
	case f.Kind() == protoreflect.StringKind:
		return m.Get(f).String()
	case f.Enum() != nil:
		return schema.EnumWord(f.Enum(), m.Get(f).Enum())
	}
	return ""
}

// idText is an ID as text; "" for none.
func idText(id []byte) string {
	u, err := uuid.FromBytes(id)
	if err != nil || u == uuid.Nil {
		return ""
	}
	return u.String()
}
