package command

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Fingerprint tells two requests with one key apart: the start of SHA-256 over type, ID and the body in
// canonical form. Canonical means decoded: members in a fixed order, defaults filled in, decimals as
// micro-units, so that a client may write the same body differently. What the server adds (deadlines,
// times of receipt, derived IDs) stays out.
//
// Fingerprints are stored in events: a member keeps its tag for ever, and one that is zero adds nothing,
// so that new members leave old fingerprints as they are.
func Fingerprint(typ, id string, o order.Command, s inventory.Command, occurredAtMicros int64) [16]byte {
	c := canonicals.Get().(*canonical)
	defer canonicals.Put(c)
	c.b = c.b[:0]
	c.text(1, typ)
	c.text(2, id)
	c.number(3, occurredAtMicros)
	if o != nil {
		c.order(o)
	} else {
		c.stock(s)
	}
	sum := sha256.Sum256(c.b)
	return [16]byte(sum[:16])
}

// canonical is a list of tagged members.
type canonical struct{ b []byte }

var canonicals = sync.Pool{New: func() any { return new(canonical) }}

func (c *canonical) text(tag byte, s string) {
	if s == "" {
		return
	}
	c.b = append(c.b, tag)
	c.b = binary.AppendUvarint(c.b, uint64(len(s)))
	c.b = append(c.b, s...)
}

func (c *canonical) number(tag byte, n int64) {
	if n == 0 {
		return
	}
	c.b = append(c.b, tag)
	c.b = binary.AppendVarint(c.b, n)
}

func (c *canonical) lines(lines []order.PlaceLine) {
	for _, line := range lines {
		c.b = append(c.b, 20) // begins a line
		c.text(21, line.SKU)
		c.number(22, line.Quantity)
		c.number(23, line.UnitPriceMicros)
	}
}

func (c *canonical) quantities(lines []order.LineQuantity) {
	for _, line := range lines {
		c.b = append(c.b, 20) // begins a line
		c.text(21, line.SKU)
		c.number(22, line.Quantity)
	}
}

func (c *canonical) order(cmd order.Command) {
	switch cmd := cmd.(type) {
	case order.Place:
		c.text(10, cmd.CustomerID)
		c.text(11, cmd.Currency)
		c.text(12, cmd.Country)
		c.text(13, cmd.Reference)
		c.number(14, int64(cmd.Terms))
		if cmd.TotalMicros != nil {
			c.number(15, *cmd.TotalMicros+1) // 0 is a total too
		}
		if rule := cmd.Allocation; rule != nil {
			c.number(16, int64(rule.Policy))
			for _, location := range rule.Locations {
				c.text(17, location)
			}
		}
		c.lines(cmd.Lines)
	case order.ImportDocument:
		c.text(10, cmd.CustomerID)
		c.text(11, cmd.Currency)
		c.text(12, cmd.Country)
		c.text(13, cmd.Reference)
		c.lines(cmd.Lines)
	case order.AuthorizePayment:
		c.number(30, cmd.AmountMicros)
		c.text(13, cmd.Reference)
	case order.CapturePayment:
		c.number(30, cmd.AmountMicros)
		c.text(13, cmd.Reference)
	case order.StartPayment:
		c.text(13, cmd.Reference)
	case order.VoidPayment:
		c.number(30, cmd.AmountMicros)
		c.text(13, cmd.Reference)
		c.text(31, cmd.Reason)
	case order.RefundPayment:
		c.number(30, cmd.AmountMicros)
		c.text(13, cmd.Reference)
		c.text(31, cmd.Reason)
	case order.FailPayment:
		c.text(13, cmd.Reference)
		c.text(31, cmd.Reason)
	case order.Cancel:
		c.text(31, cmd.Reason)
	case order.Hold:
		c.text(31, cmd.Reason)
	case order.CancelLines:
		c.text(31, cmd.Reason)
		c.quantities(cmd.Lines)
	case order.Amend:
		c.text(31, cmd.Reason)
		for _, line := range cmd.Lines {
			c.b = append(c.b, 20)
			c.text(21, line.SKU)
			c.number(22, line.Quantity)
			c.number(25, int64(line.Line))
			if line.UnitPriceMicros != nil {
				c.number(26, *line.UnitPriceMicros+1) // 0 is a price too
			}
		}
	case order.CreateFulfilment:
		c.quantities(cmd.Lines)
	case order.ShipFulfilment:
		c.text(32, cmd.TrackingReference)
		c.text(33, cmd.FulfilmentID)
		if cmd.Capture {
			c.number(34, 1)
		}
		c.text(36, cmd.PaymentReference)
	case order.CancelFulfilment:
		c.text(31, cmd.Reason)
		c.text(33, cmd.FulfilmentID)
	case order.Ship:
		c.text(32, cmd.TrackingReference)
		c.quantities(cmd.Lines)
		if cmd.Capture {
			c.number(34, 1)
		}
		c.text(36, cmd.PaymentReference)
	case order.RequestReturn:
		c.text(31, cmd.Reason)
		c.quantities(cmd.Lines)
	case order.ReceiveReturn:
		c.text(35, cmd.ReturnID)
		c.text(41, cmd.Location)
		for _, line := range cmd.Lines {
			c.b = append(c.b, 20)
			c.text(21, line.SKU)
			c.number(22, line.Quantity)
			c.number(24, int64(line.Condition))
		}
	case order.CancelReturn:
		c.text(31, cmd.Reason)
		c.text(35, cmd.ReturnID)
	case order.Deliver:
		c.text(33, cmd.FulfilmentID)
		c.quantities(cmd.Lines)
	}
}

func (c *canonical) stock(cmd inventory.Command) {
	switch cmd := cmd.(type) {
	case inventory.RegisterItem:
		c.text(40, cmd.Description)
	case inventory.ReceiveStock:
		c.text(41, cmd.Location)
		c.number(22, cmd.Quantity)
		c.text(13, cmd.Reference)
	case inventory.ExpectStock:
		c.text(41, cmd.Location)
		c.number(22, cmd.Quantity)
		c.text(13, cmd.Reference)
	case inventory.MoveStock:
		c.text(41, cmd.Location)
		c.number(22, cmd.Quantity)
		c.text(13, cmd.Reference)
		c.number(46, int64(cmd.From))
		c.number(47, int64(cmd.To))
	case inventory.ShipTransfer: // its ID derives from the key
		c.text(41, cmd.FromLocation)
		c.text(48, cmd.ToLocation)
		c.number(22, cmd.Quantity)
		c.text(13, cmd.Reference)
	case inventory.ReceiveTransfer:
		c.text(49, cmd.TransferID)
		c.number(22, cmd.Quantity)
		c.number(50, cmd.Missing)
		c.number(51, cmd.Damaged)
		c.number(53, cmd.Rejected)
		c.text(31, cmd.Reason)
	case inventory.AdjustStock:
		c.text(41, cmd.Location)
		c.number(42, cmd.Delta)
		c.number(43, int64(cmd.Reason))
		c.text(13, cmd.Reference)
	case inventory.CountStock:
		c.text(41, cmd.Location)
		c.number(44, cmd.Counted)
		c.text(13, cmd.Reference)
		c.number(52, int64(cmd.CountedAtVersion))
	case inventory.SetSafetyStock:
		c.text(41, cmd.Location)
		c.number(22, cmd.Quantity)
	case inventory.SetBackorderLimit:
		c.number(45, cmd.Limit)
	}
}
