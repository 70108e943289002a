package command

import (
	"net/http"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Refusal is the problem of a result; nil when the command was done. The pointers of a rule's refusal point into the
// body.
func Refusal(cmd *shard.Command, r *shard.Result) *problem.Problem {
	if r.Code == "" {
		return nil
	}
	p := &problem.Problem{
		Code:              r.Code,
		Detail:            r.Detail,
		CurrentStatus:     r.Status,
		Allowed:           r.Allowed,
		RetryAfterSeconds: r.RetryAfterSeconds,
	}
	if r.Pointer != "" {
		p.Errors = []problem.FieldError{{Pointer: r.Pointer, Detail: r.Detail}}
	}
	if r.Code == problem.VersionMismatch || r.Code == problem.CountOutdated {
		p.CurrentVersion, p.CurrentOnHand = r.Version, r.OnHand
	}
	if r.Code == problem.UnknownSKU && cmd.Order != nil {
		p.Status = http.StatusConflict // the order is known, what it names is not
	}
	if r.Order != nil {
		p.OrderID, p.Number = r.Order.ID, r.Order.Number
	}
	for _, s := range r.Short {
		p.Short = append(p.Short, problem.Short{
			SKU: s.SKU, Requested: s.Requested, Available: s.Available,
			Reason: schema.RejectionReasons.Word(eventv1.RejectionReason(s.Reason)),
		})
	}
	return p
}

// AppendOrder appends the answer to a command on an order.
func AppendOrder(b []byte, o *shard.OrderSummary) []byte {
	b = appendjson.String(append(b, `{"order_id":`...), o.ID)
	if o.Number != 0 {
		b = appendjson.Uint(b, "number", o.Number)
	}
	b = appendjson.Uint(b, "version", o.Version)
	b = appendjson.String(append(b, `,"status":`...), o.Status)
	b = appendjson.String(append(b, `,"payment_status":`...), o.PaymentStatus)
	b = appendjson.Member(b, "fulfilment_status", o.FulfilmentStatus)
	b = appendjson.Member(b, "return_status", o.ReturnStatus)
	b = appendjson.String(append(b, `,"currency":`...), o.Currency)
	b = appendjson.String(append(b, `,"total":`...), money.FormatIn(o.Currency, o.TotalMicros))
	b = appendjson.Member(b, "fulfilment_id", o.FulfilmentID)
	b = appendjson.Member(b, "return_id", o.ReturnID)
	if o.Backordered {
		b = append(b, `,"backordered":true`...)
	}
	return append(b, '}')
}

// AppendStock appends the answer to a command on stock: the members of GET /v1/availability/{sku} that the writer
// knows. A location that is short does not reduce what the others can sell.
func AppendStock(b []byte, s *shard.StockSummary) []byte {
	total := levelOf(&s.Total)
	total.Available, total.Backordered = 0, 0
	for _, l := range s.Locations {
		total.Available += max(0, l.Level.Available)
		total.Backordered += max(0, -l.Level.Available)
	}
	b = appendjson.String(append(b, `{"sku":`...), s.SKU)
	b = appendjson.String(append(b, `,"description":`...), s.Description)
	b = appendjson.Uint(b, "version", s.Version)
	b = total.Append(b)
	b = appendjson.Int(b, "backorder_limit", s.BackorderLimit)
	b = appendjson.Member(b, "transfer_id", s.TransferID)
	b = appendjson.Array(append(b, `,"locations":`...), s.Locations, appendLocation)
	return append(b, '}')
}

func appendLocation(b []byte, l inventory.LocationLevel) []byte {
	b = appendjson.String(append(b, `{"location":`...), l.Location)
	return append(levelOf(&l.Level).Append(b), '}')
}

// levelOf is the level of a location as clients see it: what it lacks is backordered, and available is not below 0.
func levelOf(l *inventory.Level) appendjson.Level {
	return appendjson.Level{
		Available: max(0, l.Available), Backordered: max(0, -l.Available), OnHand: l.OnHand,
		Reserved: l.Reserved, Committed: l.Committed,
		SafetyStock: l.SafetyStock, Damaged: l.Damaged, QualityControl: l.QualityControl, Incoming: l.Incoming,
	}
}
