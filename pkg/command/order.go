package command

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
)

func (d *decoding) orderCommand() order.Command {
	switch d.typ {
	case PlaceOrder:
		return d.place()
	case ImportOrder:
		return d.importDocument(order.KindImportedOrder)
	case ImportCreditNote:
		return d.importDocument(order.KindCreditNote)
	case CancelOrder:
		var b cancelBody
		if !d.read(&b) {
			return nil
		}
		return order.Cancel{Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
	case StartPayment, AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment:
		return d.paymentCommand()
	case ConfirmOrder:
		d.read(&emptyBody{})
		return order.Confirm{}
	case ShipOrder:
		return d.ship()
	case HoldOrder:
		var b cancelBody
		if !d.read(&b) {
			return nil
		}
		return order.Hold{Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
	case ResumeOrder:
		d.read(&emptyBody{})
		return order.Resume{DeadlineMicros: d.paymentDeadline()}
	case CancelLines:
		return d.cancelLines()
	case AmendOrder:
		return d.amend()
	case CreateFulfilment, ShipFulfilment, CancelFulfilment:
		return d.fulfilment()
	case RequestReturn, ReceiveReturn, CancelReturn:
		return d.returnCommand()
	default: // DeliverOrder: Lookup knows no other
		var b deliverBody
		if !d.read(&b) {
			return nil
		}
		cmd := order.Deliver{FulfilmentID: d.name("/fulfilment_id", b.FulfilmentID, MaxFulfilmentBytes)}
		if b.Lines != nil { // otherwise all that has not arrived
			cmd.Lines = d.quantities(*b.Lines)
		}
		return cmd
	}
}

func (d *decoding) place() order.Command {
	var b placeBody
	if !d.read(&b) {
		return nil
	}
	cmd := order.Place{
		OrderID:    d.id,
		CustomerID: d.name("/customer_id", b.CustomerID, MaxCustomerIDBytes),
		Currency:   d.currency(b.Currency),
		Country:    d.text("/country", b.Country, MaxCountryBytes),
		Reference:  d.text("/reference", b.Reference, MaxReferenceBytes),
		Lines:      d.lines(b.Lines),
		Terms:      d.terms(b.PaymentTerms),
		AtMicros:   d.receivedAtMicros,
	}
	if b.Allocation != nil {
		cmd.Allocation = d.allocation(b.Allocation)
	}
	if b.Total != nil {
		total := d.amount("/total", *b.Total)
		cmd.TotalMicros = &total
	}
	if cmd.Terms == order.Prepaid {
		cmd.PaymentDeadlineMicros = d.paymentDeadline()
	}
	return cmd
}

// Policies are the API's words for order.AllocationPolicy, in its order from 1.
var Policies = []string{"single_location", "fewest_locations", "split"}

func (d *decoding) allocation(b *allocationBody) *order.AllocationRule {
	k := slices.Index(Policies, b.Policy)
	rule := &order.AllocationRule{Policy: order.AllocationPolicy(k + 1), Locations: b.Locations}
	var refusal *order.Error
	switch {
	case b.Policy == "":
		d.fault(CodeMissingField, "/allocation/policy", "is required")
	case k < 0:
		d.fault(order.CodeInvalidAllocation, "/allocation/policy", "must be one of "+strings.Join(Policies, ", "))
	case errors.As(rule.Check(), &refusal):
		d.fault(refusal.Code, refusal.Pointer, refusal.Detail)
	}
	return rule
}

// paymentDeadline is when an order that is placed, or whose payment begins, now has to be paid.
func (d *decoding) paymentDeadline() int64 {
	window := d.opts.PaymentWindow
	if window == 0 {
		window = DefaultPaymentWindow
	}
	return d.receivedAtMicros + window.Microseconds()
}

func (d *decoding) importDocument(kind order.Kind) order.Command {
	var b importBody
	if !d.read(&b) {
		return nil
	}
	if b.OccurredAt == "" {
		d.fault(CodeMissingField, "/occurred_at", "is required")
	} else {
		d.occurredAtMicros = d.time("/occurred_at", b.OccurredAt)
	}
	return order.ImportDocument{
		OrderID:    d.id,
		Kind:       kind,
		CustomerID: d.text("/customer_id", b.CustomerID, MaxCustomerIDBytes),
		Currency:   d.currency(b.Currency),
		Country:    d.text("/country", b.Country, MaxCountryBytes),
		Reference:  d.name("/reference", b.Reference, MaxReferenceBytes),
		Lines:      d.lines(b.Lines),
		AtMicros:   d.occurredAtMicros,
	}
}

func (d *decoding) ship() order.Command {
	var b shipBody
	if !d.read(&b) {
		return nil
	}
	cmd := order.Ship{
		FulfilmentID:      FulfilmentID(d.id, d.key),
		TrackingReference: d.text("/tracking_reference", b.TrackingReference, MaxReferenceBytes),
		Capture:           b.Capture,
		PaymentReference:  d.paymentReference(&b.captureBody),
	}
	d.action(b.Action, "ship")
	if b.Lines != nil { // otherwise all that is left to ship
		cmd.Lines = d.quantities(*b.Lines)
	}
	return cmd
}

func (d *decoding) quantities(lines []quantityBody) []order.LineQuantity {
	if !d.countLines(len(lines)) {
		return nil
	}
	out := make([]order.LineQuantity, len(lines))
	for i, line := range lines {
		d.line(i, line.SKU, line.Quantity)
		out[i] = order.LineQuantity{SKU: line.SKU, Quantity: line.Quantity}
	}
	return out
}

func (d *decoding) cancelLines() order.Command {
	var b cancelLinesBody
	if !d.read(&b) {
		return nil
	}
	return order.CancelLines{Lines: d.quantities(b.Lines), Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
}

func (d *decoding) amend() order.Command {
	var b amendBody
	if !d.read(&b) {
		return nil
	}
	cmd := order.Amend{Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
	if !d.countLines(len(b.Lines)) {
		return nil
	}
	cmd.Lines = make([]order.AmendLine, len(b.Lines))
	for i := range b.Lines {
		cmd.Lines[i] = d.amendLine(i, &b.Lines[i])
	}
	return cmd
}

func (d *decoding) amendLine(i int, b *amendLineBody) order.AmendLine {
	pointer := "/lines/" + strconv.Itoa(i)
	d.line(i, b.SKU, 1) // the SKU; a quantity may be 0 here
	line := order.AmendLine{SKU: b.SKU, Quantity: d.level(pointer+"/quantity", b.Quantity)}
	if b.Line != nil {
		if *b.Line < 1 || *b.Line > MaxLines {
			d.fault(order.CodeInvalidLines, pointer+"/line", "must be from 1 to "+strconv.Itoa(MaxLines))
		}
		line.Line = int32(min(*b.Line, MaxLines))
	}
	if b.UnitPrice != nil {
		micros, fault := amount(*b.UnitPrice)
		if fault != "" {
			d.fault(amountCode(*b.UnitPrice, order.CodeInvalidPrice), pointer+"/unit_price", fault)
		}
		line.UnitPriceMicros = &micros
	}
	return line
}

// fulfilment decodes what happens to a fulfilment before it ships, and its shipment.
func (d *decoding) fulfilment() order.Command {
	switch d.typ {
	case CreateFulfilment:
		var b createFulfilmentBody
		if !d.read(&b) {
			return nil
		}
		d.action(b.Action, "create")
		cmd := order.CreateFulfilment{FulfilmentID: FulfilmentID(d.id, d.key)}
		if b.Lines != nil {
			cmd.Lines = d.quantities(*b.Lines)
		}
		return cmd
	case ShipFulfilment:
		var b shipFulfilmentBody
		if !d.read(&b) {
			return nil
		}
		return order.ShipFulfilment{
			FulfilmentID:      d.name("/fulfilment_id", b.FulfilmentID, MaxFulfilmentBytes),
			TrackingReference: d.text("/tracking_reference", b.TrackingReference, MaxReferenceBytes),
			Capture:           b.Capture,
			PaymentReference:  d.paymentReference(&b.captureBody),
		}
	default: // CancelFulfilment: orderCommand sends no other
		var b cancelFulfilmentBody
		if !d.read(&b) {
			return nil
		}
		return order.CancelFulfilment{
			FulfilmentID: d.name("/fulfilment_id", b.FulfilmentID, MaxFulfilmentBytes), Reason: d.text("/reason", b.Reason, MaxReasonBytes),
		}
	}
}

func (d *decoding) lines(lines []lineBody) []order.PlaceLine {
	if !d.countLines(len(lines)) {
		return nil
	}
	placed := make([]order.PlaceLine, len(lines))
	for i, line := range lines {
		d.line(i, line.SKU, line.Quantity)
		micros, fault := amount(line.UnitPrice)
		if fault != "" {
			d.fault(amountCode(line.UnitPrice, order.CodeInvalidPrice), "/lines/"+strconv.Itoa(i)+"/unit_price", fault)
		}
		placed[i] = order.PlaceLine{SKU: line.SKU, Quantity: line.Quantity, UnitPriceMicros: micros}
	}
	return placed
}

func (d *decoding) countLines(n int) bool {
	switch {
	case n == 0:
		d.fault(CodeMissingField, "/lines", "must hold at least one line")
	case n > MaxLines:
		d.fault(CodeTooManyLines, "/lines", "holds "+strconv.Itoa(n)+" lines; at most "+strconv.Itoa(MaxLines)+" are taken")
	}
	return n > 0 && n <= MaxLines
}

// line checks what every kind of line has; pointers are built only for faults.
func (d *decoding) line(i int, sku string, quantity int64) {
	if fault := ValidSKU(sku); fault != "" {
		code := CodeBadSKU
		if sku == "" {
			code = CodeMissingField
		}
		d.fault(code, "/lines/"+strconv.Itoa(i)+"/sku", fault)
	}
	if quantity < 1 || quantity > MaxQuantity {
		d.quantity("/lines/"+strconv.Itoa(i)+"/quantity", quantity)
	}
}

func (d *decoding) currency(code string) string {
	if _, ok := money.Lookup(code); !ok {
		if code == "" {
			d.fault(CodeMissingField, "/currency", "is required")
		} else {
			d.fault(order.CodeUnknownCurrency, "/currency", "is no ISO 4217 code of a currency")
		}
	}
	return code
}

func (d *decoding) terms(s string) order.PaymentTerms {
	switch s {
	case "", "prepaid":
		return order.Prepaid
	case "on_account":
		return order.OnAccount
	}
	d.fault(order.CodeInvalidTerms, "/payment_terms", "must be prepaid or on_account")
	return order.Prepaid
}

func (d *decoding) amount(pointer, s string) int64 {
	micros, fault := amount(s)
	if fault != "" {
		d.fault(amountCode(s, order.CodeInvalidAmount), pointer, fault)
	}
	return micros
}

func amountCode(s, invalid string) string {
	if s == "" {
		return CodeMissingField
	}
	return invalid
}

// amount reads a price or a payment; fault says what is wrong with it.
func amount(s string) (micros int64, fault string) {
	if s == "" {
		return 0, "is required"
	}
	micros, err := money.Parse(s)
	switch {
	case errors.Is(err, money.ErrTooPrecise):
		return 0, "has more than " + strconv.Itoa(money.MaxDecimals) + " decimals"
	case errors.Is(err, money.ErrOverflow), micros > MaxAmountMicros:
		return 0, "is more than 1000000000"
	case err != nil:
		return 0, "must be a plain decimal like \"2.55\""
	case micros < 0:
		return 0, "must not be negative"
	}
	return micros, ""
}
