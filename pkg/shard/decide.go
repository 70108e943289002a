package shard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// handle decides one input into the current batch. Its error is the shard's, never the command's: it
// ends this ownership.
func (r *runner) handle(in *input) error {
	switch {
	case in.cmd != nil && in.cmd.isOrder():
		return r.handleOrder(in.cmd, in.fut)
	case in.cmd != nil:
		return r.handleStock(in.cmd, in.fut)
	case in.step != nil:
		return r.handleStep(in.step, in.reply)
	case in.answer != nil:
		return r.handleAnswer(in.answer)
	case in.query != nil:
		return r.handleQuery(in.query, in.queryReply)
	case in.queryAnswer != nil:
		return r.handleQueryAnswer(in.queryAnswer)
	}
	return nil
}

func (r *runner) handleOrder(cmd *Command, fut *Future) error {
	e, err := r.resume(cmd.ID)
	if err != nil {
		return err
	}
	again := importsAgain(&e.o, cmd.Order)
	if cmd.Key != "" && !again {
		if seen := e.command(cmd.Key); seen != nil {
			r.repeatOrder(e, seen, cmd, fut)
			return nil
		}
	}
	if e.o.Version == 0 && !opensOrder(cmd.Order) {
		r.refuse(fut, cmd, Result{Code: CodeOrderNotFound, Detail: "there is no order " + cmd.ID})
		return nil
	}
	if cmd.ExpectedVersion != nil && *cmd.ExpectedVersion != e.o.Version {
		r.refuse(fut, cmd, versionMismatch(e.o.Version, *cmd.ExpectedVersion))
		return nil
	}
	if (e.o.Version == 0 || again) && len(r.sagas) >= MaxOpenSagas {
		r.refuse(fut, cmd, Result{Code: CodeTooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("shard %d has %d orders that wait for stock of other shards; retry later with the same key", r.shard, len(r.sagas))})
		return nil
	}
	evs, err := order.Decide(e.o, r.asking(cmd.Order))
	if err != nil {
		r.refuse(fut, cmd, refusal(err, e.o.Version))
		return nil
	}
	if len(evs) == 0 { // it has happened already
		r.refuse(fut, cmd, r.outcome(e, cmd, 0))
		return nil
	}
	if doc, ok := evs[0].(order.DocumentImported); ok {
		short, err := r.shortForImport(&doc)
		if err != nil {
			return err
		}
		if len(short) > 0 {
			r.refuse(fut, cmd, shortResult(short))
			return nil
		}
	}
	first, version := len(r.b.recs), e.o.Version+1
	from := origin{key: cmd.Key, fingerprint: cmd.Fingerprint, occurredAt: r.occurredAt(cmd), cause: eventv1.Cause_CAUSE_COMMAND}
	if err := r.writeOrder(e, evs, &from); err != nil {
		return r.tooLarge(err, fut, cmd, first)
	}
	r.answerOrder(e, waiter{fut, cmd, version}, first)
	return nil
}

// writeOrder appends an order's events and carries the reservation that it now wants to stock.
func (r *runner) writeOrder(e *entry, evs []order.Event, from *origin) error {
	s, before, first := r.sagas[e.o.ID], e.o.ReservationVersion, len(r.b.recs)
	if err := r.appendOrder(e, evs, from); err != nil {
		return err
	}
	if e.o.ReservationVersion != before {
		if err := r.carryStep(e, s, from); err != nil {
			return err
		}
	}
	r.written(e, s, first)
	return nil
}

// tooLarge turns the refusal of an oversized first event into an answer; any other error is the shard's.
func (r *runner) tooLarge(err error, fut *Future, cmd *Command, first int) error {
	var large errTooLarge
	if !errors.As(err, &large) || len(r.b.recs) != first {
		return err
	}
	r.refuse(fut, cmd, Result{Code: CodeTooLarge, Detail: large.Error()})
	return nil
}

// answerOrder answers with the order's outcome, or, while stock elsewhere has not answered, with the
// promise of one.
func (r *runner) answerOrder(e *entry, w waiter, first int) {
	a := answer{fut: w.fut, first: first, end: len(r.b.recs)}
	a.result = r.outcome(e, w.cmd, w.version)
	if e.o.Lifecycle == order.Placed || awaitsAmendment(&e.o, w) {
		a.accepted = r.wait(e, w)
	}
	r.b.answers = append(r.b.answers, a)
}

// wait has a client wait for the outcome of an order, if other shards were asked for it.
func (r *runner) wait(e *entry, w waiter) bool {
	if r.sagas[e.o.ID] == nil {
		return false
	}
	r.waiters[e.o.ID] = append(r.waiters[e.o.ID], w)
	return true
}

// awaitsAmendment reports whether stock has not answered the amendment that a command asked for.
func awaitsAmendment(o *order.Order, w waiter) bool {
	_, amends := w.cmd.Order.(order.Amend)
	return amends && o.Amendment != nil && o.Amendment.Version == w.version
}

// outcome is what a client is told of an order that a command changed; version is the order's at which it was taken.
func (r *runner) outcome(e *entry, cmd *Command, version uint64) Result {
	o := &e.o
	res := Result{Version: o.Version, Order: summarize(o)}
	switch c := cmd.Order.(type) {
	case order.Ship:
		res.Order.FulfilmentID = c.FulfilmentID
	case order.RequestReturn:
		res.Order.ReturnID = c.ReturnID
	case order.CreateFulfilment:
		res.Order.FulfilmentID = c.FulfilmentID
	case order.Amend:
		if slices.Contains(o.Declined, version) {
			return declinedResult(o, version)
		}
	}
	if o.RefusedDocument() {
		return shortResult(o.Short)
	}
	if o.Lifecycle == order.Rejected && opensOrder(cmd.Order) {
		short := shortResult(o.Short)
		res.Code, res.Short, res.Detail, res.Status = short.Code, short.Short, short.Detail, o.Lifecycle.String()
	}
	return res
}

// declinedResult says why an amendment came to nothing; of the newest it is known which lines stood in its way.
func declinedResult(o *order.Order, version uint64) Result {
	res := Result{Version: o.Version, Status: o.Lifecycle.String(), Order: summarize(o),
		Code: CodeAmendmentDeclined, Detail: "the amendment was declined; the order stayed as it was"}
	if len(o.Short) > 0 && o.Declined[len(o.Declined)-1] == version {
		short := shortResult(o.Short)
		res.Code, res.Short = short.Code, short.Short
		res.Detail = "stock does not have what the amendment wants more; the order stayed as it was"
	}
	return res
}

func shortResult(short []order.ShortLine) Result {
	for _, s := range short {
		if s.Reason == int32(inventory.UnknownSKU) {
			return Result{Code: CodeUnknownSKU, Short: short, Detail: "the order names a SKU that is not registered; nothing was reserved"}
		}
	}
	return Result{Code: CodeInsufficient, Short: short, Detail: "not every line can be had; nothing was reserved"}
}

// asking has a past document wait for stock where that is not all of this shard.
func (r *runner) asking(cmd order.Command) order.Command {
	if doc, ok := cmd.(order.ImportDocument); ok {
		doc.AskStock = slices.ContainsFunc(doc.Lines, func(l order.PlaceLine) bool { return r.foreign(l.SKU) })
		return doc
	}
	return cmd
}

// importsAgain reports whether a command asks anew for a past document that was refused. Where all stock is of one shard a
// refusal leaves nothing behind, its key neither, and so it is here.
func importsAgain(o *order.Order, cmd order.Command) bool {
	_, imports := cmd.(order.ImportDocument)
	return imports && o.RefusedDocument()
}

// shortForImport says which of a past document's SKUs stock cannot cover. All of them are this shard's, so that there is
// nothing to wait for: it is refused before it is written.
func (r *runner) shortForImport(doc *order.DocumentImported) ([]order.ShortLine, error) {
	wanted := map[string]int64{}
	for _, l := range doc.Lines {
		wanted[l.SKU] += l.Quantity
	}
	var short []order.ShortLine
	for sku, quantity := range wanted {
		it, err := r.st.item(sku)
		if err != nil {
			return nil, err
		}
		switch {
		case !it.Registered:
			short = append(short, order.ShortLine{SKU: sku, Requested: quantity, Reason: int32(inventory.UnknownSKU)})
		case doc.Kind == order.KindImportedOrder && it.Sellable() < quantity:
			short = append(short, order.ShortLine{SKU: sku, Requested: quantity, Available: it.Sellable(), Reason: int32(inventory.InsufficientStock)})
		}
	}
	slices.SortFunc(short, func(a, b order.ShortLine) int { return strings.Compare(a.SKU, b.SKU) })
	return short, nil
}

func summarize(o *order.Order) *OrderSummary {
	s := &OrderSummary{
		ID: o.ID, Version: o.Version, Status: o.Lifecycle.String(),
		PaymentStatus: o.PaymentStatus(), FulfilmentStatus: o.FulfilmentStatus(), ReturnStatus: o.ReturnStatus(),
		Currency: o.Currency, TotalMicros: o.TotalMicros,
	}
	for i := range o.Lines {
		s.Backordered = s.Backordered || o.Lines[i].Backordered > 0
	}
	return s
}

// repeatOrder answers a key that the order has seen before.
func (r *runner) repeatOrder(e *entry, seen *commandRecord, cmd *Command, fut *Future) {
	if seen.fingerprint != cmd.Fingerprint {
		r.refuse(fut, cmd, keyReused(cmd.Key))
		return
	}
	r.b.fenced = true
	w := waiter{fut, cmd, seen.version}
	a := answer{fut: fut, result: r.outcome(e, cmd, seen.version), rests: r.restsOn(cmd)}
	a.result.Repeated = true
	for i := range e.o.Lines {
		if sku := e.o.Lines[i].SKU; !r.foreign(sku) {
			a.rests = append(a.rests, eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: r.partitionOf(sku)})
		}
	}
	if e.o.Lifecycle == order.Placed && opensOrder(cmd.Order) || awaitsAmendment(&e.o, w) {
		a.accepted = r.wait(e, w)
	}
	r.b.answers = append(r.b.answers, a)
}

func (r *runner) handleStock(cmd *Command, fut *Future) error {
	it, err := r.st.item(cmd.ID)
	if err != nil {
		return err
	}
	if cmd.Key != "" {
		seen, err := r.st.stockCommand(cmd.ID, cmd.Key)
		if err != nil {
			return err
		}
		if seen.version > 0 {
			if seen.fingerprint != cmd.Fingerprint {
				r.refuse(fut, cmd, keyReused(cmd.Key))
			} else {
				r.refuse(fut, cmd, Result{Version: it.Version, Stock: stockOutcome(it, cmd), Repeated: true})
			}
			return nil
		}
	}
	if cmd.ExpectedVersion != nil && *cmd.ExpectedVersion != it.Version {
		r.refuse(fut, cmd, versionMismatch(it.Version, *cmd.ExpectedVersion))
		return nil
	}
	evs, err := inventory.Decide(*it, inventory.Reservation{}, cmd.Stock)
	if err != nil {
		r.refuse(fut, cmd, refusal(err, it.Version))
		return nil
	}
	if len(evs) == 0 {
		r.refuse(fut, cmd, Result{Version: it.Version, Stock: stockOutcome(it, cmd)})
		return nil
	}
	first := len(r.b.recs)
	from := origin{key: cmd.Key, fingerprint: cmd.Fingerprint, occurredAt: r.occurredAt(cmd), cause: eventv1.Cause_CAUSE_COMMAND}
	if err := r.appendStock(it, nil, evs, &from); err != nil {
		return err
	}
	r.b.answers = append(r.b.answers, answer{
		fut: fut, first: first, end: len(r.b.recs),
		result: Result{Version: it.Version, Stock: stockOutcome(it, cmd)},
	})
	return nil
}

// stockOutcome is what a client is told of an item that a command changed.
func stockOutcome(it *inventory.Item, cmd *Command) *StockSummary {
	s := summarizeStock(it)
	if c, ok := cmd.Stock.(inventory.ShipTransfer); ok {
		s.TransferID = c.TransferID
	}
	return s
}

func summarizeStock(it *inventory.Item) *StockSummary {
	return &StockSummary{
		SKU: it.SKU, Description: it.Description, Version: it.Version, BackorderLimit: it.BackorderLimit,
		Total: it.Total(), Locations: it.Locations,
	}
}

// refuse answers without events: after a commit that proves that the state it rests on was current.
func (r *runner) refuse(fut *Future, cmd *Command, res Result) {
	r.b.fenced = true
	r.b.answers = append(r.b.answers, answer{fut: fut, result: res, rests: r.restsOn(cmd)})
}

// restsOn is the partition of a command's aggregate.
func (r *runner) restsOn(cmd *Command) []eventlog.TopicPartition {
	topic := eventlog.TopicInventory
	if cmd.isOrder() {
		topic = eventlog.TopicOrders
	}
	return []eventlog.TopicPartition{{Topic: topic, Partition: r.partitionOf(cmd.ID)}}
}

func (r *runner) occurredAt(cmd *Command) int64 {
	if cmd.OccurredAtMicros != 0 {
		return cmd.OccurredAtMicros
	}
	return cmd.ReceivedAtMicros
}

func opensOrder(cmd order.Command) bool {
	switch cmd.(type) {
	case order.Place, order.ImportDocument:
		return true
	}
	return false
}

// refusal turns a rule's error into an answer.
func refusal(err error, version uint64) Result {
	var oe *order.Error
	if errors.As(err, &oe) {
		return Result{Code: oe.Code, Detail: oe.Detail, Pointer: oe.Pointer, Status: oe.Status, Allowed: oe.Allowed, Version: version}
	}
	var ie *inventory.Error
	if errors.As(err, &ie) {
		return Result{Code: ie.Code, Detail: ie.Detail, Pointer: ie.Pointer, Version: version, OnHand: ie.OnHand}
	}
	return Result{Code: CodeUnavailable, Detail: err.Error()}
}

func versionMismatch(current, expected uint64) Result {
	return Result{Code: CodeVersionMismatch, Version: current,
		Detail: fmt.Sprintf("If-Match names version %d; the current one is %d: read it, and decide again", expected, current)}
}

func keyReused(key string) Result {
	return Result{Code: CodeKeyReused,
		Detail: fmt.Sprintf("Idempotency-Key %q came before with another request; use a new key for a new request", key)}
}
