package shard

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// orderOutcome is what a client is told of an order that its command changed. version is that of the command's first
// event.
func orderOutcome(e *checkpoint.Entry, cmd *Command, version uint64) Result {
	o := &e.Order
	res := Result{Version: o.VisibleVersion, Order: summarizeOrder(e)}
	switch c := cmd.Order.(type) {
	case order.Ship:
		res.Order.FulfilmentID = c.FulfilmentID
	case order.RequestReturn:
		res.Order.ReturnID = c.ReturnID
	case order.CreateFulfilment:
		res.Order.FulfilmentID = c.FulfilmentID
	case order.Amend:
		if slices.Contains(o.DeclinedAmendments, version) {
			return declinedResult(e, version)
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

// declinedResult says why an amendment was declined. Only of the newest one it is known which lines were short.
func declinedResult(e *checkpoint.Entry, version uint64) Result {
	o := &e.Order
	res := Result{Version: o.VisibleVersion, Status: o.Lifecycle.String(), Order: summarizeOrder(e),
		Code: problem.AmendmentDeclined, Detail: "the amendment was declined; the order stayed as it was"}
	if len(o.Short) > 0 && o.DeclinedAmendments[len(o.DeclinedAmendments)-1] == version {
		short := shortResult(o.Short)
		res.Code, res.Short = short.Code, short.Short
		res.Detail = "stock does not have what the amendment wants more; the order stayed as it was"
	}
	return res
}

func shortResult(short []order.ShortLine) Result {
	for _, s := range short {
		if s.Reason == int32(inventory.UnknownSKU) {
			return Result{Code: problem.UnknownSKU, Short: short,
				Detail: "the order names a SKU that is not registered; nothing was reserved"}
		}
	}
	return Result{Code: problem.InsufficientStock, Short: short, Detail: "not every line can be had; nothing was reserved"}
}

func summarizeOrder(e *checkpoint.Entry) *OrderSummary {
	o := &e.Order
	s := &OrderSummary{
		ID: o.ID, Number: e.Number, Version: o.VisibleVersion, Status: o.Lifecycle.String(),
		PaymentStatus: o.PaymentStatus(), FulfilmentStatus: o.FulfilmentStatus(), ReturnStatus: o.ReturnStatus(),
		Currency: o.Currency, TotalMicros: o.TotalMicros,
	}
	for i := range o.Lines {
		s.Backordered = s.Backordered || o.Lines[i].Backordered > 0
	}
	return s
}

// stockOutcome is what a client is told of an item that its command changed.
func stockOutcome(it *inventory.Item, cmd *Command) *StockSummary {
	s := &StockSummary{
		SKU: it.SKU, Description: it.Description, Version: it.VisibleVersion, BackorderLimit: it.BackorderLimit,
		Total: it.Total(), Locations: it.Locations,
	}
	if c, ok := cmd.Stock.(inventory.ShipTransfer); ok {
		s.TransferID = c.TransferID
	}
	return s
}

// refusal turns a rule's error into an answer.
func refusal(err error, version uint64) Result {
	var oe *order.Error
	if errors.As(err, &oe) {
		return Result{
			Code: oe.Code, Detail: oe.Detail, Pointer: oe.Pointer, Status: oe.Status, Allowed: oe.Allowed,
			Version: version,
		}
	}
	var ie *inventory.Error
	if errors.As(err, &ie) {
		return Result{Code: ie.Code, Detail: ie.Detail, Pointer: ie.Pointer, Version: version, OnHand: ie.OnHand}
	}
	return Result{Code: problem.Unavailable, Detail: err.Error()}
}

// unavailable answers a command that was not done, or of which nobody knows, and that its client may retry.
func unavailable(detail string) Result {
	return Result{Code: problem.Unavailable, Detail: detail, RetryAfterSeconds: 1}
}

// NoVersion as a command's ExpectedVersion matches no version: the client sent an entity tag that is none of ours.
const NoVersion = math.MaxUint64

func versionMismatch(current, expected uint64) Result {
	if expected == NoVersion {
		return Result{Code: problem.VersionMismatch, Version: current,
			Detail: fmt.Sprintf("If-Match names no version of this resource; the current one is %d", current)}
	}
	return Result{Code: problem.VersionMismatch, Version: current,
		Detail: fmt.Sprintf("If-Match names version %d; the current one is %d: read it, and decide again",
			expected, current)}
}

func keyReused(key string) Result {
	return Result{Code: problem.KeyReused,
		Detail: fmt.Sprintf("Idempotency-Key %q came before with another request; use a new key for a new request", key)}
}
