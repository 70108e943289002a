package shard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// decideOrder decides a command on an order.
func (d *decider) decideOrder(cmd *Command, fut *Future) error {
	if s := d.sagas.unwrittenOf(cmd.ID); s != nil {
		d.waitBehind(s, cmd, fut)
		return nil
	}
	e, err := d.resumeOrder(cmd.ID)
	if err != nil {
		return err
	}
	again := importsAgain(&e.Order, cmd.Order)
	if cmd.Key != "" && !again {
		if seen := e.Command(cmd.Key); seen != nil {
			d.answerRepeated(e, seen, cmd, fut)
			return nil
		}
		if seen := importedAlike(e, cmd); seen != nil {
			d.answerRepeated(e, seen, cmd, fut)
			return nil
		}
	}
	if e.Order.Version == 0 {
		if decided, err := d.decideElsewhere(cmd, fut); decided || err != nil {
			return err
		}
		switch {
		case cmd.lookUp:
			d.notPlaced(cmd, fut)
			return nil
		case d.placedOtherwise(cmd):
			d.refuse(fut, cmd, layoutDiffers)
			return nil
		}
	}
	if e.Order.Version == 0 && !opensOrder(cmd.Order) {
		d.refuse(fut, cmd, Result{Code: problem.OrderNotFound, Detail: "there is no order " + cmd.ID})
		return nil
	}
	if cmd.ExpectedVersion != nil && *cmd.ExpectedVersion != e.Order.VisibleVersion {
		d.refuse(fut, cmd, versionMismatch(e.Order.VisibleVersion, *cmd.ExpectedVersion))
		return nil
	}
	if open := len(d.sagas.byOrder); (e.Order.Version == 0 || again) && open >= MaxOpenSagas {
		d.refuse(fut, cmd, Result{Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("shard %d has %d orders that wait for stock of other shards; retry later with the same key",
				d.shard, open)})
		return nil
	}
	evs, err := order.Decide(e.Order, d.withAskStock(cmd.Order))
	if err == nil {
		err = inventory.CheckReturnPlace(returnPlace(cmd.Order), d.node.cfg.Places)
	}
	if err != nil {
		d.refuse(fut, cmd, refusal(err, e.Order.VisibleVersion))
		return nil
	}
	if len(evs) == 0 { // it has happened already
		d.refuse(fut, cmd, orderOutcome(e, cmd, 0))
		return nil
	}
	if d.bound(cmd) {
		d.refuseBound(cmd, fut)
		return nil
	}
	if doc, ok := evs[0].(order.DocumentImported); ok {
		short, err := d.shortForImport(&doc)
		if err != nil {
			return err
		}
		if len(short) > 0 {
			d.refuse(fut, cmd, shortResult(short))
			return nil
		}
	}
	if asked, err := d.askFirst(e, evs, cmd, fut); asked || err != nil {
		return err
	}
	if d.askShipping(e, evs, cmd, fut) {
		return nil
	}
	return d.writeCommand(e, evs, cmd, fut)
}

// returnPlace is the location that a command names for goods that come back; "": it names none.
func returnPlace(cmd order.Command) string {
	switch c := cmd.(type) {
	case order.ReceiveReturn:
		return c.Location
	case order.FailDelivery:
		return c.Location
	}
	return ""
}

// writeCommand writes the events of a command, and answers with the order's outcome or, while stock of other shards has
// not answered, with the promise of one.
func (d *decider) writeCommand(e *checkpoint.Entry, evs []order.Event, cmd *Command, fut *Future) error {
	first := len(d.batch.records)
	w := waiter{fut: fut, cmd: cmd, version: e.Order.Version + 1}
	from := cmd.origin()
	if err := d.writeOrder(e, evs, &from); err != nil {
		return d.refuseTooLarge(err, fut, cmd, first)
	}
	a := answer{fut: fut, first: first, end: len(d.batch.records), result: orderOutcome(e, cmd, w.version)}
	if e.Order.Lifecycle == order.Placed || awaitsAmendment(&e.Order, w) {
		a.accepted = d.sagas.addWaiter(e.Order.ID, w)
	}
	d.batch.answers = append(d.batch.answers, a)
	return nil
}

// writeOrder appends an order's events, and asks stock for the reservation that the order wants now.
func (d *decider) writeOrder(e *checkpoint.Entry, evs []order.Event, from *origin) error {
	s, before, first := d.sagas.byOrder[e.Order.ID], e.Order.ReservationVersion, len(d.batch.records)
	if err := d.appendOrder(e, evs, from); err != nil {
		return err
	}
	if e.Order.ReservationVersion != before {
		if err := d.askStock(e, s, from); err != nil {
			return err
		}
	}
	d.afterWrite(e, s, first)
	return nil
}

// refuseTooLarge turns the error of an oversized first event into an answer. Any other error is the shard's.
func (d *decider) refuseTooLarge(err error, fut *Future, cmd *Command, first int) error {
	var large errTooLarge
	if !errors.As(err, &large) || len(d.batch.records) != first {
		return err
	}
	d.refuse(fut, cmd, Result{Code: problem.CommandTooLarge, Detail: large.Error()})
	return nil
}

// answerRepeated answers a command whose key the order has seen before.
func (d *decider) answerRepeated(e *checkpoint.Entry, seen *checkpoint.CommandRecord, cmd *Command, fut *Future) {
	if seen.Fingerprint != cmd.Fingerprint {
		d.refuse(fut, cmd, keyReused(cmd.Key))
		return
	}
	d.batch.fenced = true
	w := waiter{fut: fut, cmd: cmd, version: seen.Version, repeated: true}
	a := answer{fut: fut, result: orderOutcome(e, cmd, seen.Version), dependsOn: d.dependsOn(cmd)}
	a.result.Repeated = true
	for i := range e.Order.Lines {
		if sku := e.Order.Lines[i].SKU; !d.foreign(sku) {
			a.dependsOn = append(a.dependsOn, d.stockPartition(sku))
		}
	}
	if e.Order.Lifecycle == order.Placed && opensOrder(cmd.Order) || awaitsAmendment(&e.Order, w) {
		a.accepted = d.sagas.addWaiter(e.Order.ID, w)
	}
	d.batch.answers = append(d.batch.answers, a)
}

// awaitsAmendment reports whether stock has not answered yet the amendment that a command asked for.
func awaitsAmendment(o *order.Order, w waiter) bool {
	_, amends := w.cmd.Order.(order.Amend)
	return amends && o.Amendment != nil && o.Amendment.Version == w.version
}

// opensOrder reports whether a command makes a new order.
func opensOrder(cmd order.Command) bool {
	switch cmd.(type) {
	case order.Place, order.ImportDocument:
		return true
	}
	return false
}

// isDocument reports whether a command imports a past document.
func isDocument(cmd order.Command) bool {
	_, imports := cmd.(order.ImportDocument)
	return imports
}

// importedAlike is the command that has imported a past document, where the one that comes now under another key says
// the same of it; nil: there is none.
func importedAlike(e *checkpoint.Entry, cmd *Command) *checkpoint.CommandRecord {
	if e.Order.Version == 0 || !isDocument(cmd.Order) {
		return nil
	}
	return e.CommandAlike(cmd.Fingerprint)
}

// withAskStock has a past document wait for stock, unless all of its stock is this shard's.
func (d *decider) withAskStock(cmd order.Command) order.Command {
	if doc, ok := cmd.(order.ImportDocument); ok {
		doc.AskStock = slices.ContainsFunc(doc.Lines, func(l order.PlaceLine) bool { return d.foreign(l.SKU) })
		return doc
	}
	return cmd
}

// importsAgain reports whether a command imports a past document that was refused before. Such a document may come
// again under its key, as it may where all of its stock is this shard's and the refusal wrote nothing.
func importsAgain(o *order.Order, cmd order.Command) bool {
	return isDocument(cmd) && o.RefusedDocument()
}

// shortForImport returns the SKUs of a past document that stock cannot cover. All of them are this shard's, so there is
// nothing to wait for: the document is refused before it is written.
func (d *decider) shortForImport(doc *order.DocumentImported) ([]order.ShortLine, error) {
	wanted := map[string]int64{}
	for _, l := range doc.Lines {
		wanted[l.SKU] += l.Quantity
	}
	var short []order.ShortLine
	for sku, quantity := range wanted {
		it, err := d.store.Item(sku)
		if err != nil {
			return nil, err
		}
		line := order.ShortLine{SKU: sku, Requested: quantity}
		switch {
		case !it.Registered:
			line.Reason = int32(inventory.UnknownSKU)
		case doc.Kind == order.KindImportedOrder && it.Sellable() < quantity:
			line.Available, line.Reason = it.Sellable(), int32(inventory.InsufficientStock)
		default:
			continue
		}
		short = append(short, line)
	}
	slices.SortFunc(short, func(a, b order.ShortLine) int { return strings.Compare(a.SKU, b.SKU) })
	return short, nil
}
