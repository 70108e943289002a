package checkpoint

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Entry is an order of this shard with its reservations of this shard's SKUs, and the commands that it has seen.
// Whoever changes Order without an event calls Store.OrderChanged.
type Entry struct {
	Order order.Order
	// Number is the order's, for people: that of the place where it begins in the log (ADR 29).
	Number       uint64
	Reservations Reservations
	commands     []CommandRecord
	encoded      int // length of the encoded value
	// indexed is under which of the checkpoint's indexes the order is, as it was last encoded.
	indexed indexed
}

// indexed is what an acquire needs to know of an order without reading it.
type indexed struct {
	deadlineMicros int64 // 0: none
	unsettled      bool
	// unknown: something is reserved or committed for an order that the log does not have, or for another attempt to
	// place it than the one that it has.
	unknown bool
}

func indexOf(e *Entry) indexed {
	o := &e.Order
	return indexed{DeadlineOf(o), o.Version > 0 && !o.Settled, e.hasUnknown()}
}

func (e *Entry) hasUnknown() bool {
	return slices.ContainsFunc(e.Reservations.List, func(res *Reservation) bool {
		return res.Open() && (e.Order.Version == 0 || res.PlacedEventID != inventory.ID(e.Order.PlacedEventID))
	})
}

// DeadlineOf is when an order expires unless it is paid, in microseconds; 0: it does not.
func DeadlineOf(o *order.Order) int64 {
	if o.AwaitsPayment() {
		return o.PaymentDeadlineMicros
	}
	return 0
}

// HasSeen reports whether stock of this shard has seen the order's newest step of a SKU. Where stock has nothing of the
// order, it is never told that the order wants nothing any more.
func (e *Entry) HasSeen(w *order.Wanted) bool {
	if w.Nothing() && !w.Imported && e.NeverHad(w.SKU) {
		return true
	}
	res := e.Reservations.Find(w.SKU)
	return res != nil && res.PlacedEventID == inventory.ID(e.Order.PlacedEventID) &&
		res.Version == e.Order.ReservationVersion
}

// NeverHad reports whether stock of this shard has nothing of the order, because it rejected it, or has no such SKU:
// there is nothing to give back.
func (e *Entry) NeverHad(sku string) bool {
	res := e.Reservations.Find(sku)
	if res == nil || res.Version == 0 {
		return true
	}
	return res.PlacedEventID == inventory.ID(e.Order.PlacedEventID) && res.Answer().RefusedAll()
}

// CommandRecord remembers a command by its idempotency key.
type CommandRecord struct {
	key         string
	Fingerprint [16]byte
	// Version of the aggregate after the command's event; 0: no such command.
	Version uint64
}

// Command returns what is remembered of a key; nil: nothing.
func (e *Entry) Command(key string) *CommandRecord {
	for i := range e.commands {
		if e.commands[i].key == key {
			return &e.commands[i]
		}
	}
	return nil
}

// CommandAlike returns what is remembered of a command with the fingerprint, whatever its key was; nil: nothing.
func (e *Entry) CommandAlike(fingerprint [16]byte) *CommandRecord {
	for i := range e.commands {
		if e.commands[i].Fingerprint == fingerprint {
			return &e.commands[i]
		}
	}
	return nil
}

// remember keeps the key of the command that wrote an event.
func (e *Entry) remember(m *codec.Meta) {
	if c := e.Command(m.IdempotencyKey); c != nil {
		c.Fingerprint, c.Version = m.Fingerprint, m.Version
		return
	}
	e.commands = append(e.commands,
		CommandRecord{key: m.IdempotencyKey, Fingerprint: m.Fingerprint, Version: m.Version})
}

// Reservations are an order's reservations of this shard's SKUs. One step changes them together.
type Reservations struct {
	OrderID string
	List    []*Reservation
	next    int    // where Find begins: mostly all are asked for, in the order of the list
	entry   *Entry // that they belong to; nil for an order of another shard
	changed bool   // they, or the order that they belong to, since that was last encoded
	encoded int    // length of the encoded value; 0 where they have an entry
}

// Reservation is what stock has reserved of one SKU for an order.
type Reservation struct {
	SKU string
	inventory.Reservation
	// promised is the version under which it is among the SKU's open reservations in the checkpoint; 0: it is not.
	promised uint64
}

// Of returns the reservation of a SKU; there is always one, at first an empty one.
func (r *Reservations) Of(sku string) *Reservation {
	if res := r.Find(sku); res != nil {
		return res
	}
	res := &Reservation{SKU: sku, Reservation: inventory.Reservation{OrderID: r.OrderID}}
	r.List = append(r.List, res)
	return res
}

// Find returns the reservation of a SKU; nil: there is none.
func (r *Reservations) Find(sku string) *Reservation {
	for i := range r.List {
		if i += r.next; i >= len(r.List) {
			i -= len(r.List)
		}
		if r.List[i].SKU == sku {
			r.next = (i + 1) % len(r.List)
			return r.List[i]
		}
	}
	return nil
}

// Open reports whether anything is reserved or committed.
func (r *Reservations) Open() bool {
	for _, res := range r.List {
		if res.Open() {
			return true
		}
	}
	return false
}

// Answer is the reservation as stock's answer to the order's step.
func (r *Reservation) Answer() order.StockAnswer {
	h := order.StockAnswer{SKU: r.SKU, Damaged: r.Damaged(), Backordered: r.Backordered,
		BackorderVersion: r.BackorderVersion}
	h.Reserved, h.Committed, h.Fulfilled, h.Restocked = r.Sums()
	if r.Rejected != nil {
		h.Rejected, h.Available, h.RejectionReason = true, r.Rejected.Available, int32(r.Rejected.Reason)
	}
	return h
}
