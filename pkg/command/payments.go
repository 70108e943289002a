package command

import (
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
)

// The names of the commands that record what happened to a payment.
const (
	StartPayment     = "start_payment"
	AuthorizePayment = "authorize_payment"
	CapturePayment   = "capture_payment"
	VoidPayment      = "void_payment"
	RefundPayment    = "refund_payment"
	FailPayment      = "fail_payment"
)

const paymentsPath = "/v1/orders/:order_id/payments"

// anyPaymentBody has the members of all payments.
type anyPaymentBody struct {
	Action          *string `json:"action"`
	Amount          string  `json:"amount"`
	Reference       string  `json:"reference"`
	Provider        string  `json:"provider"`
	ProviderEventID *string `json:"provider_event_id"`
	Reason          string  `json:"reason"`
	Purpose         *string `json:"purpose"`
	OccurredAt      *string `json:"occurred_at"`
}

type startPaymentBody struct {
	Action     *string `json:"action"`
	Reference  string  `json:"reference"`
	Provider   string  `json:"provider"`
	OccurredAt *string `json:"occurred_at"`
}

type amountBody struct {
	Action          *string `json:"action"`
	Amount          string  `json:"amount"`
	Reference       string  `json:"reference"`
	Provider        string  `json:"provider"`
	ProviderEventID *string `json:"provider_event_id"`
	OccurredAt      *string `json:"occurred_at"`
}

// voidBody is without an amount when all is released that is left.
type voidBody struct {
	Action          *string `json:"action"`
	Amount          *string `json:"amount"`
	Reference       string  `json:"reference"`
	Provider        string  `json:"provider"`
	ProviderEventID *string `json:"provider_event_id"`
	Reason          string  `json:"reason"`
	OccurredAt      *string `json:"occurred_at"`
}

// refundBody is without an amount when all goes back that is left, and without a purpose when that does not matter.
type refundBody struct {
	Action          *string `json:"action"`
	Amount          *string `json:"amount"`
	Reference       string  `json:"reference"`
	Provider        string  `json:"provider"`
	ProviderEventID *string `json:"provider_event_id"`
	Reason          string  `json:"reason"`
	Purpose         *string `json:"purpose"`
	OccurredAt      *string `json:"occurred_at"`
}

// goodwill is the only purpose of a refund that changes what it is of.
const goodwill = "goodwill"

type failPaymentBody struct {
	Action          *string `json:"action"`
	Reference       string  `json:"reference"`
	Provider        string  `json:"provider"`
	ProviderEventID *string `json:"provider_event_id"`
	Reason          string  `json:"reason"`
	OccurredAt      *string `json:"occurred_at"`
}

var payments = []*Command{
	onOrder(created(StartPayment, paymentsPath).withAction("start"),
		func(d *decoding, b *startPaymentBody) order.StartPayment {
			d.action(b.Action, "start")
			d.occurredAt(b.OccurredAt)
			return order.StartPayment{
				Reference: d.reference(b.Reference), Provider: d.provider(b.Provider), DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.StartPayment) {
			f.text(tagReference, cmd.Reference)
			f.text(tagProvider, cmd.Provider)
		}),
	onOrder(created(AuthorizePayment, paymentsPath).withAction("authorize"),
		func(d *decoding, b *amountBody) order.AuthorizePayment {
			d.action(b.Action, "authorize")
			d.occurredAt(b.OccurredAt)
			return order.AuthorizePayment{
				AmountMicros: d.payment(b.Amount), Reference: d.reference(b.Reference),
				ProviderEventID: d.providerEventID(b.ProviderEventID), Provider: d.provider(b.Provider),
				DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.AuthorizePayment) {
			f.number(tagAmount, cmd.AmountMicros)
			f.text(tagReference, cmd.Reference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
		}),
	onOrder(created(CapturePayment, paymentsPath).withAction("capture"),
		func(d *decoding, b *amountBody) order.CapturePayment {
			d.action(b.Action, "capture")
			d.occurredAt(b.OccurredAt)
			return order.CapturePayment{
				AmountMicros: d.payment(b.Amount), Reference: d.reference(b.Reference),
				ProviderEventID: d.providerEventID(b.ProviderEventID), Provider: d.provider(b.Provider),
				DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.CapturePayment) {
			f.number(tagAmount, cmd.AmountMicros)
			f.text(tagReference, cmd.Reference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
		}),
	onOrder(created(VoidPayment, paymentsPath).withAction("void"),
		func(d *decoding, b *voidBody) order.VoidPayment {
			d.action(b.Action, "void")
			d.occurredAt(b.OccurredAt)
			return order.VoidPayment{
				AmountMicros: d.optionalPositive(b.Amount), Reference: d.reference(b.Reference),
				ProviderEventID: d.providerEventID(b.ProviderEventID), Provider: d.provider(b.Provider),
				Reason: d.reason(b.Reason), DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.VoidPayment) {
			f.number(tagAmount, cmd.AmountMicros)
			f.text(tagReference, cmd.Reference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
			f.text(tagReason, cmd.Reason)
		}),
	onOrder(created(RefundPayment, paymentsPath).withAction("refund"),
		func(d *decoding, b *refundBody) order.RefundPayment {
			d.action(b.Action, "refund")
			d.occurredAt(b.OccurredAt)
			if b.Purpose != nil && *b.Purpose != goodwill {
				d.Fault(problem.InvalidPurpose, "/purpose", "must be "+goodwill+", or left out")
			}
			return order.RefundPayment{
				AmountMicros: d.optionalPositive(b.Amount), Reference: d.reference(b.Reference),
				ProviderEventID: d.providerEventID(b.ProviderEventID), Provider: d.provider(b.Provider),
				Reason: d.reason(b.Reason), Goodwill: b.Purpose != nil, DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.RefundPayment) {
			f.number(tagAmount, cmd.AmountMicros)
			f.text(tagReference, cmd.Reference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
			f.text(tagReason, cmd.Reason)
			f.flag(tagPurpose, cmd.Goodwill)
		}),
	onOrder(created(FailPayment, paymentsPath).withAction("fail"),
		func(d *decoding, b *failPaymentBody) order.FailPayment {
			d.action(b.Action, "fail")
			d.occurredAt(b.OccurredAt)
			return order.FailPayment{
				Reference: d.reference(b.Reference), ProviderEventID: d.providerEventID(b.ProviderEventID),
				Provider: d.provider(b.Provider), Reason: d.reason(b.Reason),
			}
		},
		func(f *fingerprint, cmd order.FailPayment) {
			f.text(tagReference, cmd.Reference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
			f.text(tagReason, cmd.Reason)
		}),
}

// provider is the name of a payment provider; "" where none was told.
func (d *decoding) provider(s string) string { return d.Text("/provider", s, limits.MaxProviderLength) }

// providerEventID is an ID that the payment provider gave to what happened; "" where none was told.
func (d *decoding) providerEventID(s *string) string {
	if s == nil {
		return ""
	}
	if *s == "" {
		d.Invalid("/provider_event_id", "has 1 character or more; leave it out if the provider gives none")
	}
	return d.Text("/provider_event_id", *s, limits.MaxProviderEventIDLength)
}

// payment is the amount of a payment.
func (d *decoding) payment(s string) int64 { return d.positive("/amount", s, order.CodeInvalidAmount) }

// optionalPositive is the same, and 0 where there is none.
func (d *decoding) optionalPositive(s *string) int64 {
	if s == nil {
		return 0
	}
	return d.payment(*s)
}
