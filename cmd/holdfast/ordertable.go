package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/client"
)

func writeOrders(w io.Writer, page *client.OrderPage) error {
	t := newTable(w)
	fmt.Fprintln(t, "NUMBER\tORDER\tSTATUS\tPAYMENT\tCUSTOMER\tTOTAL\tPLACED")
	for i := range page.Items {
		o := &page.Items[i]
		placed := ""
		if len(o.Timeline) > 0 {
			placed = o.Timeline[0].OccurredAt.UTC().Format("2006-01-02")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s %s\t%s\n",
			o.Number, o.OrderID, o.Status, o.PaymentStatus, o.CustomerID, o.Total, o.Currency, placed)
	}
	if err := t.Flush(); err != nil || page.NextCursor == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more: --cursor %s\n", page.NextCursor)
	return err
}

// field is a line of a description.
type field struct{ name, value string }

// writeFields shows the fields that have a value, each on its line.
func writeFields(w io.Writer, fields ...field) error {
	t := newTable(w)
	for _, f := range fields {
		if f.value != "" {
			fmt.Fprintf(t, "%s\t%s\n", f.name, f.value)
		}
	}
	return t.Flush()
}

// nonZero is an amount, or empty for 0.
func nonZero(amount string) string {
	if strings.Trim(amount, "0.") == "" {
		return ""
	}
	return amount
}

// refundDue is what is due for refund, with its causes.
func refundDue(o *client.Order) string {
	var causes []string
	for _, cause := range []field{
		{"overpayment", o.RefundDueFor.Overpayment}, {"cancellation", o.RefundDueFor.Cancellation},
		{"amendment", o.RefundDueFor.Amendment}, {"return", o.RefundDueFor.Return},
	} {
		if cause.value != "" {
			causes = append(causes, cause.name+" "+cause.value)
		}
	}
	if len(causes) == 0 {
		return nonZero(o.RefundDue)
	}
	return o.RefundDue + " (" + strings.Join(causes, ", ") + ")"
}

func writeOrder(w io.Writer, o *client.Order) error {
	deadline := ""
	waits := o.Status == client.OrderStatusPlaced || o.Status == client.OrderStatusReserved || o.PaymentDue != ""
	if !o.PaymentDeadline.IsZero() && waits {
		deadline = formatTime(o.PaymentDeadline) // it has no meaning later
	}
	allocation := append([]string{string(o.Allocation.Policy)}, o.Allocation.Locations...)
	fields := []field{
		{"order", o.OrderID},
		{"number", nonZero(fmt.Sprint(o.Number))},
		{"kind", string(o.Kind)},
		{"version", fmt.Sprint(o.Version)},
		{"status", string(o.Status)},
		{"payment", string(o.PaymentStatus)},
		{"fulfilment", string(o.FulfilmentStatus)},
		{"returns", string(o.ReturnStatus)},
		{"customer", o.CustomerID},
		{"country", o.Country},
		{"reference", o.Reference},
		{"allocation", strings.Join(allocation, " ")},
		{"discounts", nonZero(o.DiscountTotal)},
		{"charges", nonZero(o.ChargeTotal)},
		{"taxes", taxTotal(o)},
		{"total", o.Total + " " + o.Currency},
		{"authorized", o.Authorized},
		{"captured", o.Captured},
		{"voided", nonZero(o.Voided)},
		{"refunded", nonZero(o.Refunded)},
		{"goodwill", o.Goodwill},
		{"refund due", refundDue(o)},
		{"payment due", o.PaymentDue},
		{"pay until", deadline},
	}
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		fields = append(fields, field{"metadata", key + "=" + o.Metadata[key]})
	}
	if err := writeFields(w, fields...); err != nil {
		return err
	}
	t := newTable(w)
	writeLines(t, o.Lines)
	writeCharges(t, o)
	writeShort(t, o.Short)
	writeFulfilments(t, o)
	writeReturns(t, o)
	fmt.Fprintln(t, "\nVERSION\tEVENT\tOCCURRED\tDETAILS")
	for i := range o.Timeline {
		e := &o.Timeline[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", e.Version, e.Type, formatTime(e.OccurredAt), details(o, e))
	}
	return t.Flush()
}

// writeLines shows the lines of an order. A column such as RETURNED is left out where it is 0 for all lines.
func writeLines(t io.Writer, lines []client.OrderLineView) {
	heading := "\nLINE\tSKU\tQUANTITY\tUNIT PRICE\tAMOUNT"
	var amounts []func(*client.OrderLineView) string
	for _, column := range []struct {
		heading string
		value   func(*client.OrderLineView) string
	}{
		{"DISCOUNT", func(l *client.OrderLineView) string { return l.Discount }},
		{"TAX", func(l *client.OrderLineView) string { return l.Tax }},
	} {
		if slices.ContainsFunc(lines, func(l client.OrderLineView) bool { return column.value(&l) != "" }) {
			heading += "\t" + column.heading
			amounts = append(amounts, column.value)
		}
	}
	var shown []func(*client.OrderLineView) int64
	for _, column := range []struct {
		heading string
		value   func(*client.OrderLineView) int64
	}{
		{"BACKORDERED", func(l *client.OrderLineView) int64 { return l.Backordered }},
		{"CANCELLED", func(l *client.OrderLineView) int64 { return l.Cancelled }},
		{"SHIPPED", func(l *client.OrderLineView) int64 { return l.Shipped }},
		{"DELIVERED", func(l *client.OrderLineView) int64 { return l.Delivered }},
		{"UNDELIVERED", func(l *client.OrderLineView) int64 { return l.Undelivered }},
		{"LOST", func(l *client.OrderLineView) int64 { return l.Lost }},
		{"RETURNED", func(l *client.OrderLineView) int64 { return l.Returned }},
	} {
		if slices.ContainsFunc(lines, func(l client.OrderLineView) bool { return column.value(&l) != 0 }) {
			heading += "\t" + column.heading
			shown = append(shown, column.value)
		}
	}
	fmt.Fprintln(t, heading)
	for i := range lines {
		l := &lines[i]
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%s", l.Line, l.SKU, l.Quantity, l.UnitPrice, l.Amount)
		for _, value := range amounts {
			fmt.Fprintf(t, "\t%s", value(l))
		}
		for _, value := range shown {
			fmt.Fprintf(t, "\t%d", value(l))
		}
		fmt.Fprintln(t)
	}
}

// taxTotal says the taxes, and whether they are included in the prices.
func taxTotal(o *client.Order) string {
	taxes := nonZero(o.TaxTotal)
	if taxes != "" && o.TaxesIncluded {
		taxes += " (included)"
	}
	return taxes
}

// writeCharges shows what an order costs besides goods.
func writeCharges(t io.Writer, o *client.Order) {
	if len(o.Charges) > 0 {
		fmt.Fprintln(t, "\nCHARGE\tKIND\tAMOUNT\tCREDITED\tDESCRIPTION")
	}
	for _, c := range o.Charges {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", c.Charge, c.Kind, c.Amount, c.Credited, c.Description)
	}
}

// lineName names a line of an order as flags take it: by its SKU, and by its number where several lines have that.
func lineName(o *client.Order, sku string, number int64, quantity string) string {
	name := sku + "=" + quantity
	lines := 0
	for _, l := range o.Lines {
		if l.SKU == sku {
			lines++
		}
	}
	if lines > 1 && number > 0 {
		name += "#" + strconv.FormatInt(number, 10)
	}
	return name
}

func writeShort(t io.Writer, short []client.ShortLine) {
	if len(short) > 0 {
		fmt.Fprintln(t, "\nSHORT\tREQUESTED\tAVAILABLE\tREASON")
	}
	for _, s := range short {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", s.SKU, s.Requested, s.Available, s.Reason)
	}
}

// writeFulfilments shows the shipments that have left or will leave.
func writeFulfilments(t io.Writer, o *client.Order) {
	if len(o.Fulfilments) > 0 {
		fmt.Fprintln(t, "\nFULFILMENT\tSTATUS\tTRACKING\tLINES")
	}
	for _, f := range o.Fulfilments {
		var lines []string
		for _, l := range f.Lines {
			lines = append(lines, lineName(o, l.SKU, l.Line, strconv.FormatInt(l.Quantity, 10)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.FulfilmentID, f.Status, f.TrackingReference, strings.Join(lines, " "))
	}
}

// writeReturns shows what a customer sends back.
func writeReturns(t io.Writer, o *client.Order) {
	if len(o.Returns) > 0 {
		fmt.Fprintln(t, "\nRETURN\tSTATUS\tREASON\tLINES, RECEIVED OF ASKED")
	}
	for _, r := range o.Returns {
		var lines []string
		for _, l := range r.Lines {
			lines = append(lines, lineName(o, l.SKU, l.Line, fmt.Sprintf("%d/%d", l.Received, l.Quantity)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ReturnID, r.Status, r.Reason, strings.Join(lines, " "))
	}
}

// details are the values of an event, who asked for it, and its cause if that is not a command.
func details(o *client.Order, e *client.TimelineEntry) string {
	values := []string{string(e.PaymentAction), e.Amount, e.Provider, e.Reference, e.ProviderEventID, e.Reason}
	for _, l := range e.Lines {
		values = append(values, lineName(o, l.SKU, l.Line, strconv.FormatInt(l.Quantity, 10)), string(l.Condition))
	}
	for _, s := range e.Short {
		values = append(values, fmt.Sprintf("%s: %d of %d", s.SKU, s.Available, s.Requested))
	}
	if e.Principal.Name != "" {
		values = append(values, "by "+e.Principal.Name)
	}
	if e.Principal.Name != "" && !e.Principal.Verified {
		values = append(values, "(unverified)")
	}
	if e.Cause != "" && e.Cause != client.Command {
		values = append(values, "("+string(e.Cause)+")")
	}
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	return strings.Join(values, " ")
}

// writeSummary shows what a command on an order answers.
func writeSummary(w io.Writer, o *client.OrderSummary) error {
	backordered := ""
	if o.Backordered {
		backordered = "it waits for stock to come"
	}
	return writeFields(w,
		field{"order", o.OrderID},
		field{"number", nonZero(fmt.Sprint(o.Number))},
		field{"version", fmt.Sprint(o.Version)},
		field{"status", string(o.Status)},
		field{"payment", string(o.PaymentStatus)},
		field{"fulfilment", string(o.FulfilmentStatus)},
		field{"fulfilment ID", o.FulfilmentID},
		field{"return", string(o.ReturnStatus)},
		field{"return ID", o.ReturnID},
		field{"total", o.Total + " " + o.Currency},
		field{"backordered", backordered},
	)
}
