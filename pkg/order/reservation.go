package order

import (
	"slices"
	"sort"
	"strings"
)

// StockAnswer is what stock answered for one SKU. Rejected, with the reason, says that it does not have what the order
// wants.
type StockAnswer struct {
	SKU                                       string
	Reserved, Committed, Fulfilled, Restocked int64
	Damaged, Backordered                      int64
	// BackorderVersion is the item's version at which Backordered last changed; 0: it never did.
	BackorderVersion uint64
	Rejected         bool
	Available        int64
	RejectionReason  int32
}

// RefusedAll reports whether stock rejected the order, and has nothing of it from before.
func (h StockAnswer) RefusedAll() bool {
	return h.Rejected && h.Reserved|h.Committed|h.Fulfilled|h.Restocked|h.Damaged == 0
}

// ShortLine says why stock did not have a SKU. Reason has the event schema's values.
type ShortLine struct {
	SKU                  string
	Requested, Available int64
	Reason               int32
}

// Values of ShortLine.Reason and Held.RejectionReason: those of the event schema.
const (
	ReasonInsufficientStock int32 = 1
	ReasonUnknownSKU        int32 = 2
	ReasonOtherLine         int32 = 3
)

// ReconciliationReason is the reason of a cancellation that a reconciliation decided.
const ReconciliationReason = "reconciliation"

// RecordReservation brings stock's answers to the step of ReservationVersion: those of all SKUs, or at least one that
// is rejected. An order that is placed is reserved or rejected by them, a pending amendment is applied or declined, and
// an import that was asked for is imported or rejected.
//
//	ORD-5   It counts only for the order's own ReservationVersion, and once. Answers to an older step change nothing.
//	ORD-6   From placed, one rejected SKU rejects the order. Short names the SKUs that are insufficient or unknown, not
//	        those that were rejected because of another one.
//	ORD-7   From placed, answers that cover all that is wanted reserve the order: OrderBackordered when some of it is
//	        backordered, else OrderReserved. Answers that do not cover it, without a rejection, change nothing.
//	ORD-8   On account, or with nothing left to pay, OrderConfirmed follows in the same decision.
//	ORD-9   A rejection of what the order already has ends it, in whichever shard that stock is: it is cancelled if it is
//	        reserved, or confirmed with nothing shipped, on hold too. Stock rejects like this only when it has lost a
//	        step. Answers that do not cover such an order, without a rejection, change nothing: stock remembers another
//	        step, and is asked again.
type RecordReservation struct {
	ReservationVersion uint64
	Answers            []StockAnswer
	// DeadlineMicros is how long the order then waits for its payment, if its amendment costs more than is covered.
	DeadlineMicros int64
}

// OrderReserved says that stock has all that the order wants.
type OrderReserved struct{}

// OrderBackordered says that stock has what the order wants, and these quantities are still to come.
type OrderBackordered struct{ Backordered []LineQuantity }

// OrderRejected says that stock does not have what the order wants.
type OrderRejected struct {
	Short           []ShortLine
	RefundDueMicros int64
}

// ReservationSettled says that stock has answered the step of ReservationVersion. A version that is newer than the
// order's own moves the order past it: stock was found to have seen such a step.
type ReservationSettled struct{ ReservationVersion uint64 }

func (c RecordReservation) decide(o *Order) ([]Event, error) {
	if o.Lifecycle == None || c.ReservationVersion != o.ReservationVersion {
		return nil, nil
	}
	c.Answers = sortedBySKU(c.Answers)
	var room [8]Wanted // most orders need no more, and it need not be collected
	wanted, answers := o.appendWanted(room[:0]), c.Answers
	rejected := slices.ContainsFunc(answers, func(h StockAnswer) bool { return h.Rejected })
	covered := !rejected && covers(answers, wanted)
	switch {
	case o.Amendment != nil:
		return o.amendmentAnswered(c, rejected, covered)
	case o.Lifecycle == Placed && rejected:
		return o.reject(o.shortLines(answers, wanted)), nil
	case o.Lifecycle == Placed && covered && o.Kind != KindOrder:
		return []Event{*o.RequestedDocument}, nil
	case o.Lifecycle == Placed && covered:
		return o.reserve(answers), nil
	case rejected && o.cancellable():
		return []Event{o.cancellation(ReconciliationReason)}, nil
	case !covered && (o.Lifecycle == Placed || o.cancellable()):
		return nil, nil
	}
	events := o.backordersChanged(answers)
	if !o.Settled {
		events = append(events, ReservationSettled{ReservationVersion: c.ReservationVersion})
	}
	return events, nil
}

func (OrderReserved) evolve(o *Order, _ Facts) { o.Lifecycle, o.Settled = Reserved, true }

func (e OrderBackordered) evolve(o *Order, _ Facts) {
	o.Lifecycle, o.Settled = Reserved, true
	o.backorder(e.Backordered)
}

func (e OrderRejected) evolve(o *Order, _ Facts) {
	o.Lifecycle, o.Short = Rejected, e.Short
	o.RefundDueMicros += e.RefundDueMicros
	o.reservationChanged()
}

func (e ReservationSettled) evolve(o *Order, _ Facts) {
	if e.ReservationVersion > o.ReservationVersion {
		o.ReservationVersion, o.Settled = e.ReservationVersion, false
		return
	}
	if e.ReservationVersion == o.ReservationVersion {
		o.Settled = true
		o.againAnswered()
	}
}

// RecordBackorder brings how much of a SKU is still backordered, as stock has it for the step of ReservationVersion.
//
//	ORD-33  It counts only for the order's own ReservationVersion, and not if the order has heard of a newer StockVersion
//	        of the SKU, the item's version at which that quantity last changed. A smaller quantity is
//	        OrderBackorderFilled, a greater one OrderFellShort: goods that were promised are missing (INV-70). An answer
//	        to a later step (RecordReservation) brings the same.
type RecordBackorder struct {
	SKU                string
	ReservationVersion uint64
	Backordered        int64
	StockVersion       uint64
}

// OrderBackorderFilled says that these quantities, which were backordered, are in stock now.
type OrderBackorderFilled struct {
	Filled        []LineQuantity
	StockVersions []StockVersion
}

// OrderFellShort says that these quantities, which were in stock, are backordered now.
type OrderFellShort struct {
	Backordered   []LineQuantity
	StockVersions []StockVersion
}

// StockVersion is the version of an item that an order has news of.
type StockVersion struct {
	SKU     string
	Version uint64
}

func (c RecordBackorder) decide(o *Order) ([]Event, error) {
	if !o.waitsForStock() || c.ReservationVersion != o.ReservationVersion {
		return nil, nil
	}
	return o.backordersChanged(
		[]StockAnswer{{SKU: c.SKU, Backordered: c.Backordered, BackorderVersion: c.StockVersion}}), nil
}

// waitsForStock reports whether anything of the order may be backordered.
func (o *Order) waitsForStock() bool { return o.offHold() == Reserved || o.offHold() == Confirmed }

// What is filled goes to the first lines of its SKU first.
func (e OrderBackorderFilled) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	left := bySKU(e.Filled)
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Backordered -= left.use(line.SKU, line.Backordered)
	}
	o.noteStockVersions(e.StockVersions)
}

func (e OrderFellShort) evolve(o *Order, _ Facts) {
	o.backorder(e.Backordered)
	o.noteStockVersions(e.StockVersions)
}

// backorder spreads what is backordered over the lines of its SKU, the last line first.
func (o *Order) backorder(quantities []LineQuantity) {
	o.Lines = slices.Clone(o.Lines)
	left := bySKU(quantities)
	for i := len(o.Lines) - 1; i >= 0; i-- {
		line := &o.Lines[i]
		line.Backordered += left.use(line.SKU, line.left()-line.Backordered)
	}
}

func (o *Order) noteStockVersions(news []StockVersion) {
	if len(news) == 0 {
		return
	}
	versions := slices.Clone(o.StockVersions)
	for _, n := range news {
		if i := slices.IndexFunc(versions, func(v StockVersion) bool { return v.SKU == n.SKU }); i >= 0 {
			versions[i] = n
		} else {
			versions = append(versions, n)
		}
	}
	o.StockVersions = versions
}

// stockVersion is the newest version of an item that the order has news of; 0: none.
func (o *Order) stockVersion(sku string) uint64 {
	for _, v := range o.StockVersions {
		if v.SKU == sku {
			return v.Version
		}
	}
	return 0
}

// backordersChanged compares stock's answers with what the order knows to be backordered (ORD-33).
func (o *Order) backordersChanged(answers []StockAnswer) (events []Event) {
	var filled OrderBackorderFilled
	var short OrderFellShort
	for i := range answers {
		h := &answers[i]
		if h.BackorderVersion < o.stockVersion(h.SKU) {
			continue
		}
		change, news := h.Backordered-o.Backordered(h.SKU), StockVersion{h.SKU, h.BackorderVersion}
		if change < 0 {
			filled.Filled = append(filled.Filled, LineQuantity{SKU: h.SKU, Quantity: -change})
			filled.StockVersions = append(filled.StockVersions, news)
		}
		if change = min(change, o.inStock(h.SKU)); change > 0 && news.Version > 0 && o.waitsForStock() {
			short.Backordered = append(short.Backordered, LineQuantity{SKU: h.SKU, Quantity: change})
			short.StockVersions = append(short.StockVersions, news)
		}
	}
	if len(short.Backordered) > 0 {
		events = append(events, short)
	}
	if len(filled.Filled) > 0 {
		events = append(events, filled)
	}
	return events
}

// inStock is how much of a SKU is to ship and not backordered.
func (o *Order) inStock(sku string) (sum int64) {
	for i := range o.Lines {
		if l := &o.Lines[i]; l.SKU == sku {
			sum += l.left() - l.Backordered
		}
	}
	return sum
}

// Backordered is how much of a SKU still waits for stock to come.
func (o *Order) Backordered(sku string) (sum int64) {
	for i := range o.Lines {
		if o.Lines[i].SKU == sku {
			sum += o.Lines[i].Backordered
		}
	}
	return sum
}

// reject makes the events of an order that stock does not have. What is authorized for it is voided (ORD-25).
func (o *Order) reject(short []ShortLine) []Event {
	events := append(make([]Event, 0, 2), OrderRejected{Short: short, RefundDueMicros: o.paid()})
	if authorized := o.openAuthorization(); authorized > 0 {
		events = append(events, PaymentVoided{AmountMicros: authorized, Reason: RejectedReason})
	}
	return events
}

// reserve makes the events of answers that cover the order (ORD-7, ORD-8).
func (o *Order) reserve(answers []StockAnswer) []Event {
	events := make([]Event, 0, 2)
	var backordered []LineQuantity
	for _, h := range answers {
		if h.Backordered > 0 {
			backordered = append(backordered, LineQuantity{SKU: h.SKU, Quantity: h.Backordered})
		}
	}
	if len(backordered) > 0 {
		events = append(events, OrderBackordered{Backordered: backordered})
	} else {
		events = append(events, OrderReserved{})
	}
	if o.Terms == OnAccount || o.uncovered() == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events
}

// covers reports whether stock has every SKU as wanted. Both are sorted by SKU. A SKU of which nothing is wanted,
// because an amendment removed it, need not be answered.
func covers(answers []StockAnswer, wanted []Wanted) bool {
	for i := range wanted {
		w := &wanted[i]
		if w.Nothing() {
			continue
		}
		h := find(answers, w.SKU)
		if h == nil || h.Rejected || h.Reserved+h.Committed+h.Fulfilled < w.Reserved+w.Committed+w.Fulfilled ||
			h.Restocked < w.Restocked || h.Damaged < w.Damaged {
			return false
		}
	}
	return true
}

// sortedBySKU returns the answers sorted by SKU, without changing the argument.
func sortedBySKU(answers []StockAnswer) []StockAnswer {
	compare := func(a, b StockAnswer) int { return strings.Compare(a.SKU, b.SKU) }
	if !slices.IsSortedFunc(answers, compare) {
		answers = slices.Clone(answers)
		slices.SortFunc(answers, compare)
	}
	return answers
}

// find returns the answer for a SKU, or nil.
func find(answers []StockAnswer, sku string) *StockAnswer {
	i := sort.Search(len(answers), func(i int) bool { return answers[i].SKU >= sku }) // copies no answer
	if i == len(answers) || answers[i].SKU != sku {
		return nil
	}
	return &answers[i]
}

// shortLines says which SKUs stock did not have (ORD-6), with what the order asked for of each. A SKU that the order no
// longer asks for may be rejected too; it is not why.
func (o *Order) shortLines(answers []StockAnswer, wanted []Wanted) []ShortLine {
	var short []ShortLine
	for i := range wanted {
		sku := wanted[i].SKU
		h := find(answers, sku)
		if h == nil || !h.Rejected || h.RejectionReason == ReasonOtherLine {
			continue
		}
		var requested int64
		for k := range o.Lines {
			if o.Lines[k].SKU == sku {
				requested += o.Lines[k].Quantity
			}
		}
		if requested == 0 {
			continue
		}
		short = append(short, ShortLine{sku, requested, h.Available, h.RejectionReason})
	}
	return short
}
