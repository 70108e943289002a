package shard

import (
	"errors"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// This file has all conversions between this package's types and the messages between replicas.

// commandToWire is a command for its owner, with the JSON body as the client wrote it.
func commandToWire(cmd *Command, shard int32) *peerv1.CommandRequest {
	heard := cmd.heard
	req := &peerv1.CommandRequest{
		Shard: uint32(shard), Type: cmd.Type, AggregateId: cmd.ID, IdempotencyKey: cmd.Key,
		ExpectedVersion: cmd.ExpectedVersion, ReceivedAtMicros: cmd.ReceivedAtMicros, Body: cmd.Body,
		HeardOffset: &heard, Stream: cmd.Stream, Traceparent: cmd.TraceParent,
		LookUp: cmd.lookUp,
	}
	if p := cmd.Principal; p != (Principal{}) {
		req.Principal = &eventv1.Principal{Name: p.Name, Verified: p.Verified}
	}
	return req
}

// stepToWire is the newest step of an order, for the SKUs of one target shard, which are not in it yet. A past
// document's step happens at the document's time.
func stepToWire(o *order.Order, source, target int32, nowMicros int64) *peerv1.ReservationRequest {
	req := &peerv1.ReservationRequest{
		SourceShard: uint32(source), TargetShard: uint32(target), OrderId: o.ID,
		PlacedEventId: slices.Clone(o.PlacedEventID[:]), Version: o.ReservationVersion, OccurredAtMicros: nowMicros,
		Allocation: codec.ToOrderRule(o.Allocation),
	}
	if o.Kind != order.KindOrder {
		req.OccurredAtMicros = o.OccurredAtMicros
	}
	return req
}

// stepFromWire reads a step. ok is false for a step that this program does not send, such as one that names a SKU
// twice: both would be decided from the same state.
func stepFromWire(req *peerv1.ReservationRequest) (step inventory.Step, wanted []order.Wanted, ok bool) {
	if len(req.PlacedEventId) != len(step.PlacedEventID) {
		return step, nil, false
	}
	step = inventory.Step{
		OrderID: req.OrderId, PlacedEventID: inventory.ID(req.PlacedEventId), Version: req.Version,
		Allocation: codec.FromStockRule(req.Allocation),
	}
	wanted = make([]order.Wanted, len(req.Wanted))
	for i, w := range req.Wanted {
		wanted[i] = wantedFromWire(w)
	}
	return step, wanted, !repeatsSKU(wanted)
}

func repeatsSKU(wanted []order.Wanted) bool {
	if len(wanted) < 2 {
		return false
	}
	seen := make(map[string]struct{}, len(wanted))
	for i := range wanted {
		seen[wanted[i].SKU] = struct{}{}
	}
	return len(seen) < len(wanted)
}

func wantedToWire(w order.Wanted) *peerv1.Wanted {
	return &peerv1.Wanted{
		Sku: w.SKU, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked,
		Damaged: w.Damaged, Imported: w.Imported, ReturnedAt: codec.ToReturnedAt(stockReturns(w.ReturnedAt)),
		ShipAgain: w.ShipAgain, Reversed: codec.ToReversed(stockReversed(w.Reversed)),
	}
}

func wantedFromWire(w *peerv1.Wanted) order.Wanted {
	out := order.Wanted{
		SKU: w.Sku, Reserved: w.Reserved, Committed: w.Committed, Fulfilled: w.Fulfilled, Restocked: w.Restocked,
		Damaged: w.Damaged, Imported: w.Imported, ShipAgain: w.ShipAgain,
	}
	for _, at := range w.ReturnedAt {
		out.ReturnedAt = append(out.ReturnedAt,
			order.ReturnedAt{Location: at.Location, Restocked: at.Restocked, Damaged: at.Damaged})
	}
	for _, r := range w.Reversed {
		out.Reversed = append(out.Reversed, order.Reversed{Version: r.Version, Quantity: r.Quantity})
	}
	return out
}

func heldToWire(held []order.StockAnswer) []*peerv1.Held {
	out := make([]*peerv1.Held, len(held))
	for i, h := range held {
		out[i] = &peerv1.Held{
			Sku: h.SKU, Reserved: h.Reserved, Committed: h.Committed, Fulfilled: h.Fulfilled, Restocked: h.Restocked,
			Damaged: h.Damaged, Backordered: h.Backordered, Rejected: h.Rejected, Available: h.Available,
			RejectionReason: h.RejectionReason, BackorderVersion: h.BackorderVersion,
		}
	}
	return out
}

func heldFromWire(held []*peerv1.Held) []order.StockAnswer {
	out := make([]order.StockAnswer, len(held))
	for i, h := range held {
		out[i] = order.StockAnswer{
			SKU: h.Sku, Reserved: h.Reserved, Committed: h.Committed, Fulfilled: h.Fulfilled, Restocked: h.Restocked,
			Damaged: h.Damaged, Backordered: h.Backordered, Rejected: h.Rejected, Available: h.Available,
			RejectionReason: h.RejectionReason, BackorderVersion: h.BackorderVersion,
		}
	}
	return out
}

func offsetToWire(tp eventlog.TopicPartition, end int64) *peerv1.PartitionOffset {
	return &peerv1.PartitionOffset{Orders: tp.Topic == eventlog.TopicOrders, Partition: tp.Partition, Offset: end}
}

func offsetsFromWire(position []*peerv1.PartitionOffset) eventlog.Offsets {
	out := make(eventlog.Offsets, len(position))
	for _, p := range position {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p.Partition}
		if p.Orders {
			tp.Topic = eventlog.TopicOrders
		}
		out[tp] = max(out[tp], p.Offset)
	}
	return out
}

func resultToWire(r Result) *peerv1.CommandResult {
	out := &peerv1.CommandResult{
		Code: r.Code, Detail: r.Detail, Pointer: r.Pointer, Status: r.Status, Allowed: r.Allowed, Version: r.Version,
		OnHand: r.OnHand, Position: r.Position.String(), Repeated: r.Repeated,
		RetryAfterSeconds: int64(r.RetryAfterSeconds), HandedOver: r.HandedOver,
		NotPlaced: r.NotPlaced,
	}
	for _, s := range r.Short {
		out.Short = append(out.Short, &eventv1.ShortLine{
			Sku: s.SKU, Requested: s.Requested, Available: s.Available, Reason: eventv1.RejectionReason(s.Reason),
		})
	}
	if o := r.Order; o != nil {
		out.Order = &peerv1.OrderSummary{
			Id: o.ID, Number: o.Number, Version: o.Version, Status: o.Status, PaymentStatus: o.PaymentStatus,
			FulfilmentStatus: o.FulfilmentStatus, ReturnStatus: o.ReturnStatus, Currency: o.Currency,
			TotalMicros: o.TotalMicros, FulfilmentId: o.FulfilmentID, ReturnId: o.ReturnID, Backordered: o.Backordered,
		}
	}
	if s := r.Stock; s != nil {
		out.Stock = &peerv1.StockSummary{
			Sku: s.SKU, Description: s.Description, Version: s.Version, BackorderLimit: s.BackorderLimit,
			Total: levelToWire(s.Total), TransferId: s.TransferID,
		}
		for _, l := range s.Locations {
			out.Stock.Locations = append(out.Stock.Locations,
				&eventv1.LocationLevel{Location: l.Location, Level: levelToWire(l.Level)})
		}
	}
	return out
}

// errNoResult: the answer is in a form that this release does not read. See CommandResponse in peer.proto.
var errNoResult = errors.New("it is of another release: retry with the same Idempotency-Key")

// resultFromWire reads what resultToWire made, or says why it cannot.
func resultFromWire(r *peerv1.CommandResult) (Result, error) {
	if r == nil {
		return Result{}, errNoResult
	}
	position, err := eventlog.ParsePosition(r.Position)
	if err != nil {
		return Result{}, err
	}
	out := Result{
		Code: r.Code, Detail: r.Detail, Pointer: r.Pointer, Status: r.Status, Allowed: r.Allowed, Version: r.Version,
		OnHand: r.OnHand, Position: position, Repeated: r.Repeated, RetryAfterSeconds: int(r.RetryAfterSeconds),
		HandedOver: r.HandedOver, NotPlaced: r.NotPlaced,
	}
	for _, s := range r.Short {
		out.Short = append(out.Short, order.ShortLine{
			SKU: s.Sku, Requested: s.Requested, Available: s.Available, Reason: int32(s.Reason),
		})
	}
	if o := r.Order; o != nil {
		out.Order = &OrderSummary{
			ID: o.Id, Number: o.Number, Version: o.Version, Status: o.Status, PaymentStatus: o.PaymentStatus,
			FulfilmentStatus: o.FulfilmentStatus, ReturnStatus: o.ReturnStatus, Currency: o.Currency,
			TotalMicros: o.TotalMicros, FulfilmentID: o.FulfilmentId, ReturnID: o.ReturnId, Backordered: o.Backordered,
		}
	}
	if s := r.Stock; s != nil {
		out.Stock = &StockSummary{
			SKU: s.Sku, Description: s.Description, Version: s.Version, BackorderLimit: s.BackorderLimit,
			Total: levelFromWire(s.Total), TransferID: s.TransferId,
		}
		for _, l := range s.Locations {
			out.Stock.Locations = append(out.Stock.Locations,
				inventory.LocationLevel{Location: l.Location, Level: levelFromWire(l.Level)})
		}
	}
	return out, nil
}

func levelToWire(l inventory.Level) *eventv1.Level {
	return &eventv1.Level{
		OnHand: l.OnHand, Available: l.Available, Reserved: l.Reserved, Committed: l.Committed,
		SafetyStock: l.SafetyStock, Damaged: l.Damaged, QualityControl: l.QualityControl, Incoming: l.Incoming,
	}
}

// levelFromWire is zero for no level.
func levelFromWire(l *eventv1.Level) inventory.Level {
	return inventory.Level{
		OnHand: l.GetOnHand(), Available: l.GetAvailable(), Reserved: l.GetReserved(), Committed: l.GetCommitted(),
		SafetyStock: l.GetSafetyStock(), Damaged: l.GetDamaged(), QualityControl: l.GetQualityControl(),
		Incoming: l.GetIncoming(),
	}
}
