package command

import "github.com/holdfast/holdfast/pkg/order"

// The names of the commands that move an order through its life.
const (
	CancelOrder  = "cancel_order"
	ConfirmOrder = "confirm_order"
	HoldOrder    = "hold_order"
	ResumeOrder  = "resume_order"
)

type reasonBody struct {
	Reason string `json:"reason"`
}

type cancelBody struct {
	Reason     string  `json:"reason"`
	OccurredAt *string `json:"occurred_at"`
}

type emptyBody struct{}

var lifecycle = []*Command{
	onOrder(changed(CancelOrder, "/v1/orders/:order_id/cancel"),
		func(d *decoding, b *cancelBody) order.Cancel {
			d.occurredAt(b.OccurredAt)
			return order.Cancel{Reason: d.reason(b.Reason)}
		},
		func(f *fingerprint, cmd order.Cancel) { f.text(tagReason, cmd.Reason) }),
	onOrder(changed(ConfirmOrder, "/v1/orders/:order_id/confirm"),
		func(*decoding, *emptyBody) order.Confirm { return order.Confirm{} },
		func(*fingerprint, order.Confirm) {}),
	onOrder(changed(HoldOrder, "/v1/orders/:order_id/hold"),
		func(d *decoding, b *reasonBody) order.Hold { return order.Hold{Reason: d.reason(b.Reason)} },
		func(f *fingerprint, cmd order.Hold) { f.text(tagReason, cmd.Reason) }),
	onOrder(changed(ResumeOrder, "/v1/orders/:order_id/resume"),
		func(d *decoding, _ *emptyBody) order.Resume { return order.Resume{DeadlineMicros: d.paymentDeadline()} },
		func(*fingerprint, order.Resume) {}), // the deadline is the server's
}
