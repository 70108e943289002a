package command

import (
	"net/http"
	"strconv"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Refusal is the problem that a result stands for; nil when the command was done. Pointers of the
// domain's refusals point into the body.
func Refusal(cmd *shard.Command, r *shard.Result) *Problem {
	if r.Code == "" {
		return nil
	}
	p := &Problem{
		Code:              r.Code,
		Detail:            r.Detail,
		CurrentStatus:     r.Status,
		Allowed:           r.Allowed,
		RetryAfterSeconds: r.RetryAfterSeconds,
	}
	if r.Pointer != "" {
		p.Errors = []FieldError{{r.Pointer, r.Detail}}
	}
	if r.Code == shard.CodeVersionMismatch || r.Code == inventory.CodeCountOutdated {
		p.CurrentVersion, p.CurrentOnHand = r.Version, r.OnHand
	}
	if r.Code == shard.CodeUnknownSKU && cmd.Order != nil {
		p.Status = http.StatusConflict
	}
	if r.Order != nil {
		p.OrderID = r.Order.ID
	}
	for _, s := range r.Short {
		reason := RejectionReason(inventory.RejectionReason(s.Reason))
		p.Short = append(p.Short, Short{SKU: s.SKU, Requested: s.Requested, Available: s.Available, Reason: reason})
	}
	return p
}

// AppendOrder appends the answer to an order command.
func AppendOrder(b []byte, o *shard.OrderSummary) []byte {
	b = append(b, `{"order_id":`...)
	b = AppendString(b, o.ID)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, o.Version, 10)
	b = append(b, `,"status":`...)
	b = AppendString(b, o.Status)
	b = append(b, `,"payment_status":`...)
	b = AppendString(b, o.PaymentStatus)
	b = appendMember(b, "fulfilment_status", o.FulfilmentStatus)
	b = appendMember(b, "return_status", o.ReturnStatus)
	b = append(b, `,"currency":`...)
	b = AppendString(b, o.Currency)
	b = append(b, `,"total":"`...)
	b = append(b, formatAmount(o.Currency, o.TotalMicros)...)
	b = append(b, '"')
	b = appendMember(b, "fulfilment_id", o.FulfilmentID)
	b = appendMember(b, "return_id", o.ReturnID)
	if o.Backordered {
		b = append(b, `,"backordered":true`...)
	}
	return append(b, '}')
}

func formatAmount(currency string, micros int64) string {
	if c, ok := money.Lookup(currency); ok {
		return c.Format(micros)
	}
	return money.Format(micros)
}

// AppendStock appends the answer to a stock command, with the members of GET /v1/availability/{sku} that
// the writer knows.
func AppendStock(b []byte, s *shard.StockSummary) []byte {
	total, backordered := s.Total, int64(0)
	total.Available = 0 // what can be sold: a location that is short does not take from the others
	for _, l := range s.Locations {
		total.Available += max(0, l.Level.Available)
		backordered += max(0, -l.Level.Available)
	}
	b = append(b, `{"sku":`...)
	b = AppendString(b, s.SKU)
	b = append(b, `,"description":`...)
	b = AppendString(b, s.Description)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, s.Version, 10)
	b = appendLevel(b, total)
	b = append(b, `,"backorder_limit":`...)
	b = strconv.AppendInt(b, s.BackorderLimit, 10)
	b = append(b, `,"backordered":`...)
	b = strconv.AppendInt(b, backordered, 10)
	b = appendMember(b, "transfer_id", s.TransferID)
	b = append(b, `,"locations":[`...)
	for i, l := range s.Locations {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"location":`...)
		b = AppendString(b, l.Location)
		level := l.Level
		level.Available = max(0, level.Available)
		b = appendLevel(b, level)
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

func appendLevel(b []byte, l inventory.Level) []byte {
	for _, m := range [...]struct {
		name  string
		units int64
	}{
		{`,"available":`, l.Available},
		{`,"on_hand":`, l.OnHand},
		{`,"reserved":`, l.Reserved},
		{`,"committed":`, l.Committed},
		{`,"safety_stock":`, l.SafetyStock},
		{`,"damaged":`, l.Damaged},
		{`,"quality_control":`, l.QualityControl},
		{`,"incoming":`, l.Incoming},
	} {
		b = append(b, m.name...)
		b = strconv.AppendInt(b, m.units, 10)
	}
	return b
}
