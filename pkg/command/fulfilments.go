package command

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
)

// The names of the commands on what leaves the house.
const (
	ShipOrder        = "ship_order"
	CreateFulfilment = "create_fulfilment"
	ShipFulfilment   = "ship_fulfilment"
	CancelFulfilment = "cancel_fulfilment"
	DeliverOrder     = "deliver_order"
	FailDelivery     = "fail_delivery"
	ReverseShipment  = "reverse_shipment"
	ReverseDelivery  = "reverse_delivery"
)

const (
	fulfilmentsPath = "/v1/orders/:order_id/fulfilments"
	fulfilmentPath  = fulfilmentsPath + "/:fulfilment_id"
)

// shipBody has the members of both commands of its route.
type shipBody struct {
	Action            *string         `json:"action"`
	Lines             *[]quantityBody `json:"lines"` // nil: all that is left to ship
	TrackingReference string          `json:"tracking_reference"`
	OccurredAt        *string         `json:"occurred_at"`
	captureBody
}

// captureBody is what both bodies that ship may say of the payment.
type captureBody struct {
	Capture           bool    `json:"capture"`
	PaymentReference  string  `json:"payment_reference"`
	ProviderEventID   *string `json:"provider_event_id"`
	Provider          string  `json:"provider"`
	UncoveredReason   string  `json:"uncovered_reason"`
	BackorderedReason string  `json:"backordered_reason"`
}

type createFulfilmentBody struct {
	Action  *string         `json:"action"`
	Lines   *[]quantityBody `json:"lines"` // nil: all that is left to ship
	Capture bool            `json:"capture"`

	OccurredAt *string `json:"occurred_at"`
}

// fulfilmentBody names a fulfilment: by its ID, or by the key of the command that made it. Who writes a file of
// commands knows the key before the server has made the ID.
type fulfilmentBody struct {
	FulfilmentID  string  `json:"fulfilment_id"`
	FulfilmentKey *string `json:"fulfilment_key"`
}

type shipFulfilmentBody struct {
	TrackingReference string  `json:"tracking_reference"`
	OccurredAt        *string `json:"occurred_at"`
	fulfilmentBody
	captureBody
}

type cancelFulfilmentBody struct {
	Reason string `json:"reason"`
	fulfilmentBody
}

type deliverBody struct {
	Lines      *[]quantityBody `json:"lines"` // nil: all that has not arrived
	OccurredAt *string         `json:"occurred_at"`
	fulfilmentBody
}

type failDeliveryBody struct {
	Lines      *[]undeliveredBody `json:"lines"` // nil: all that has not arrived, in Condition
	Condition  *string            `json:"condition"`
	Location   string             `json:"location"` // empty: where the goods left from
	Reason     string             `json:"reason"`
	Cancel     bool               `json:"cancel"`
	Charges    []creditBody       `json:"charges"`
	OccurredAt *string            `json:"occurred_at"`
	fulfilmentBody
}

type undeliveredBody returnedBody

type reverseShipmentBody struct {
	Reason string `json:"reason"`
	fulfilmentBody
}

type reverseDeliveryBody struct {
	Lines  *[]quantityBody `json:"lines"` // nil: all that has been delivered
	Reason string          `json:"reason"`
	fulfilmentBody
}

var fulfilments = []*Command{
	onOrder(created(CreateFulfilment, fulfilmentsPath).withAction("create"),
		func(d *decoding, b *createFulfilmentBody) order.CreateFulfilment {
			d.action(b.Action, "create")
			d.occurredAt(b.OccurredAt)
			if b.Capture {
				d.Fault(problem.InvalidAction, "/capture", "goes with a shipment, not with goods that are being packed")
			}
			return order.CreateFulfilment{FulfilmentID: FulfilmentID(d.id, d.key), Lines: d.optionalQuantities(b.Lines)}
		},
		func(f *fingerprint, cmd order.CreateFulfilment) { f.quantities(cmd.Lines) }),
	onOrder(created(ShipOrder, fulfilmentsPath).withAction("ship"),
		func(d *decoding, b *shipBody) order.Ship {
			d.occurredAt(b.OccurredAt)
			cmd := order.Ship{
				FulfilmentID:      FulfilmentID(d.id, d.key),
				TrackingReference: d.trackingReference(b.TrackingReference),
				Capture:           b.Capture,
				PaymentReference:  d.paymentReference(&b.captureBody),
				ProviderEventID:   d.captureEventID(&b.captureBody),
				Provider:          d.captureProvider(&b.captureBody),
				UncoveredReason:   d.uncoveredReason(b.UncoveredReason),
				BackorderedReason: d.backorderedReason(b.BackorderedReason),
				DeadlineMicros:    d.paymentDeadline(),
			}
			d.action(b.Action, "ship")
			cmd.Lines = d.optionalQuantities(b.Lines)
			return cmd
		},
		func(f *fingerprint, cmd order.Ship) {
			f.text(tagTrackingReference, cmd.TrackingReference)
			f.quantities(cmd.Lines)
			f.flag(tagCapture, cmd.Capture)
			f.text(tagPaymentReference, cmd.PaymentReference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
			f.text(tagUncoveredReason, cmd.UncoveredReason)
			f.text(tagBackorderedReason, cmd.BackorderedReason)
		}),
	onOrder(changed(ShipFulfilment, fulfilmentPath+"/shipment"),
		func(d *decoding, b *shipFulfilmentBody) order.ShipFulfilment {
			d.occurredAt(b.OccurredAt)
			return order.ShipFulfilment{
				FulfilmentID:      d.fulfilmentID(&b.fulfilmentBody),
				TrackingReference: d.trackingReference(b.TrackingReference),
				Capture:           b.Capture,
				PaymentReference:  d.paymentReference(&b.captureBody),
				ProviderEventID:   d.captureEventID(&b.captureBody),
				Provider:          d.captureProvider(&b.captureBody),
				UncoveredReason:   d.uncoveredReason(b.UncoveredReason),
				BackorderedReason: d.backorderedReason(b.BackorderedReason),
				DeadlineMicros:    d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.ShipFulfilment) {
			f.text(tagTrackingReference, cmd.TrackingReference)
			f.text(tagFulfilmentID, cmd.FulfilmentID)
			f.flag(tagCapture, cmd.Capture)
			f.text(tagPaymentReference, cmd.PaymentReference)
			f.text(tagProviderEventID, cmd.ProviderEventID)
			f.text(tagProvider, cmd.Provider)
			f.text(tagUncoveredReason, cmd.UncoveredReason)
			f.text(tagBackorderedReason, cmd.BackorderedReason)
		}),
	onOrder(changed(CancelFulfilment, fulfilmentPath+"/cancel"),
		func(d *decoding, b *cancelFulfilmentBody) order.CancelFulfilment {
			return order.CancelFulfilment{FulfilmentID: d.fulfilmentID(&b.fulfilmentBody), Reason: d.reason(b.Reason)}
		},
		func(f *fingerprint, cmd order.CancelFulfilment) {
			f.text(tagReason, cmd.Reason)
			f.text(tagFulfilmentID, cmd.FulfilmentID)
		}),
	onOrder(changed(DeliverOrder, fulfilmentPath+"/delivery"),
		func(d *decoding, b *deliverBody) order.Deliver {
			d.occurredAt(b.OccurredAt)
			return order.Deliver{FulfilmentID: d.fulfilmentID(&b.fulfilmentBody), Lines: d.optionalQuantities(b.Lines)}
		},
		func(f *fingerprint, cmd order.Deliver) {
			f.text(tagFulfilmentID, cmd.FulfilmentID)
			f.quantities(cmd.Lines)
		}),
	onOrder(changed(FailDelivery, fulfilmentPath+"/failure"),
		func(d *decoding, b *failDeliveryBody) order.FailDelivery {
			d.occurredAt(b.OccurredAt)
			cmd := order.FailDelivery{
				FulfilmentID: d.fulfilmentID(&b.fulfilmentBody), Reason: d.reason(b.Reason), Cancel: b.Cancel,
				Charges: d.credits(b.Charges), DeadlineMicros: d.paymentDeadline(),
			}
			cmd.Condition, cmd.Lines = d.undelivered(b)
			if b.Location != "" {
				cmd.Location = d.location(b.Location)
			}
			return cmd
		},
		func(f *fingerprint, cmd order.FailDelivery) {
			f.text(tagFulfilmentID, cmd.FulfilmentID)
			f.text(tagLocation, cmd.Location)
			f.text(tagReason, cmd.Reason)
			f.flag(tagCancel, cmd.Cancel)
			f.number(tagCondition, int64(cmd.Condition))
			for _, line := range cmd.Lines {
				f.line(line.SKU, line.Quantity)
				f.number(tagCondition, int64(line.Condition))
				f.number(tagLineNumber, int64(line.Line))
			}
			f.credits(cmd.Charges)
		}),
	onOrder(changed(ReverseShipment, fulfilmentPath+"/shipment/reversal"),
		func(d *decoding, b *reverseShipmentBody) order.ReverseShipment {
			return order.ReverseShipment{
				FulfilmentID: d.fulfilmentID(&b.fulfilmentBody), Reason: d.reason(b.Reason),
				DeadlineMicros: d.paymentDeadline(),
			}
		},
		func(f *fingerprint, cmd order.ReverseShipment) {
			f.text(tagFulfilmentID, cmd.FulfilmentID)
			f.text(tagReason, cmd.Reason)
		}),
	onOrder(changed(ReverseDelivery, fulfilmentPath+"/delivery/reversal"),
		func(d *decoding, b *reverseDeliveryBody) order.ReverseDelivery {
			return order.ReverseDelivery{
				FulfilmentID: d.fulfilmentID(&b.fulfilmentBody), Lines: d.optionalQuantities(b.Lines), Reason: d.reason(b.Reason),
			}
		},
		func(f *fingerprint, cmd order.ReverseDelivery) {
			f.text(tagFulfilmentID, cmd.FulfilmentID)
			f.quantities(cmd.Lines)
			f.text(tagReason, cmd.Reason)
		}),
}

// undelivered is what became of goods that did not arrive: of all of them, or of lines.
func (d *decoding) undelivered(b *failDeliveryBody) (order.Condition, []order.UndeliveredLine) {
	switch {
	case b.Lines == nil && b.Condition == nil:
		d.Missing("/condition")
	case b.Lines == nil:
		return d.undeliveredCondition("/condition", *b.Condition), nil
	case b.Condition != nil:
		d.Fault(order.CodeInvalidCondition, "/condition", "each line has its own: leave it out, or leave out lines")
	case d.countLines(len(*b.Lines)):
		out := make([]order.UndeliveredLine, len(*b.Lines))
		for i, line := range *b.Lines {
			d.checkLine(i, line.SKU, line.Quantity)
			out[i] = order.UndeliveredLine{
				SKU: line.SKU, Quantity: line.Quantity, Line: d.lineNumber(i, line.Line),
				Condition: d.undeliveredCondition(linePointer(i)+"/condition", line.Condition),
			}
		}
		return 0, out
	}
	return 0, nil
}

func (d *decoding) undeliveredCondition(pointer, word string) order.Condition {
	return order.Condition(input.Word(&d.Body, pointer, word, order.CodeInvalidCondition,
		schema.UndeliveredConditions.All, schema.UndeliveredConditions.Parse))
}

// fulfilmentID is the ID of the fulfilment that a body names. That of a key is derived from the order's own ID, so a
// command that names its order by another one is decoded again (shard.Node.renamed).
func (d *decoding) fulfilmentID(b *fulfilmentBody) string {
	if b.FulfilmentKey == nil {
		return d.ID("/fulfilment_id", b.FulfilmentID, limits.MaxFulfilmentBytes)
	}
	if fault := faultOfKey(*b.FulfilmentKey, b.FulfilmentID); fault != "" {
		d.Fault(order.CodeInvalidFulfilmentID, "/fulfilment_key", fault)
	}
	return FulfilmentID(d.id, *b.FulfilmentKey)
}

// faultOfKey says what is wrong with the key of a command that names what the command made, or "". id is that of the
// same, which must be absent then.
func faultOfKey(key, id string) string {
	switch {
	case id != "":
		return "stands instead of the ID, not beside it"
	case input.KeyFault(key) != "":
		return "must be the id of the line that made it"
	}
	return ""
}

func (d *decoding) uncoveredReason(s string) string {
	return d.Text("/uncovered_reason", s, limits.MaxReasonLength)
}

func (d *decoding) backorderedReason(s string) string {
	return d.Text("/backordered_reason", s, limits.MaxReasonLength)
}

func (d *decoding) trackingReference(s string) string {
	return d.Text("/tracking_reference", s, limits.MaxReferenceLength)
}

// captureEventID is the provider's ID of a capture that goes with a shipment.
func (d *decoding) captureEventID(b *captureBody) string {
	if b.ProviderEventID != nil && !b.Capture {
		d.Invalid("/provider_event_id", "is that of a capture: set capture, or leave it out")
	}
	return d.providerEventID(b.ProviderEventID)
}

// captureProvider is the payment provider of a capture that goes with a shipment.
func (d *decoding) captureProvider(b *captureBody) string {
	if b.Provider != "" && !b.Capture {
		d.Invalid("/provider", "is that of a capture: set capture, or leave it out")
	}
	return d.provider(b.Provider)
}

// paymentReference is the provider's name for a capture that goes with a shipment.
func (d *decoding) paymentReference(b *captureBody) string {
	if b.PaymentReference != "" && !b.Capture {
		d.Invalid("/payment_reference", "names a capture: set capture, or leave it out")
	}
	return d.Text("/payment_reference", b.PaymentReference, limits.MaxReferenceLength)
}
