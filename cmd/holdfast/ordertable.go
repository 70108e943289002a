package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// orderStatuses are those that a list is filtered by.
var orderStatuses = []string{"placed", "reserved", "confirmed", "on_hold", "completed", "rejected", "cancelled", "expired"}

func listOrdersCommand(l *lookup) *cobra.Command {
	var filter client.OrderFilter
	var status string
	c := &cobra.Command{
		Use:   "list",
		Short: "List orders, newest first, by customer, by status, or all",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter.Status = client.OrderStatus(status)
			answer, err := client.New(l.url).Orders(cmd.Context(), filter, l.options()...)
			if err != nil {
				return fmt.Errorf("list orders: %w", err)
			}
			return l.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error { return writeOrders(w, &answer.Value) })
		},
	}
	c.Flags().StringVar(&filter.CustomerID, "customer", "", "those of a customer")
	c.Flags().StringVar(&status, "status", "", "those that have a status: "+strings.Join(orderStatuses, ", "))
	c.Flags().IntVar(&filter.Limit, "limit", 20, "how many, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "go on behind a page, which says how")
	complete(c, "status", orderStatuses...)
	return l.reading(c)
}

func writeOrders(w io.Writer, page *client.OrderPage) error {
	t := newTable(w)
	fmt.Fprintln(t, "ORDER\tSTATUS\tPAYMENT\tCUSTOMER\tTOTAL\tPLACED")
	for i := range page.Items {
		o := &page.Items[i]
		placed := ""
		if len(o.Timeline) > 0 {
			placed = o.Timeline[0].OccurredAt.UTC().Format("2006-01-02")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s %s\t%s\n", o.OrderID, o.Status, o.PaymentStatus, o.CustomerID, o.Total, o.Currency, placed)
	}
	if page.NextCursor != "" {
		fmt.Fprintf(t, "more: --cursor %s\n", page.NextCursor)
	}
	return t.Flush()
}

// writeFields shows what has a value, a line each.
func writeFields(w io.Writer, fields ...[2]string) error {
	t := newTable(w)
	for _, f := range fields {
		if f[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", f[0], f[1])
		}
	}
	return t.Flush()
}

// some is an amount that is not 0.
func some(amount string) string {
	if strings.Trim(amount, "0.") == "" {
		return ""
	}
	return amount
}

func writeOrder(w io.Writer, o *client.Order) error {
	deadline := ""
	if !o.PaymentDeadline.IsZero() && (o.Status == "placed" || o.Status == "reserved") { // it has no meaning later
		deadline = instant(o.PaymentDeadline)
	}
	err := writeFields(w,
		[2]string{"order", o.OrderID}, [2]string{"kind", string(o.Kind)}, [2]string{"version", fmt.Sprint(o.Version)},
		[2]string{"status", string(o.Status)}, [2]string{"payment", string(o.PaymentStatus)},
		[2]string{"fulfilment", string(o.FulfilmentStatus)}, [2]string{"returns", string(o.ReturnStatus)},
		[2]string{"customer", o.CustomerID}, [2]string{"country", o.Country}, [2]string{"reference", o.Reference},
		[2]string{"allocation", strings.Join(append([]string{string(o.Allocation.Policy)}, o.Allocation.Locations...), " ")},
		[2]string{"total", o.Total + " " + o.Currency}, [2]string{"authorized", o.Authorized}, [2]string{"captured", o.Captured},
		[2]string{"voided", some(o.Voided)}, [2]string{"refunded", some(o.Refunded)}, [2]string{"refund due", some(o.RefundDue)},
		[2]string{"payment due", o.PaymentDue}, [2]string{"pay until", deadline},
	)
	if err != nil {
		return err
	}
	t := newTable(w)
	fmt.Fprintln(t, "\nSKU\tQUANTITY\tUNIT PRICE\tAMOUNT\tBACKORDERED\tCANCELLED\tSHIPPED\tDELIVERED\tRETURNED")
	for _, l := range o.Lines {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", l.SKU, l.Quantity, l.UnitPrice, l.Amount, l.Backordered, l.Cancelled, l.Shipped, l.Delivered, l.Returned)
	}
	writeShort(t, o.Short)
	writeFulfilments(t, o)
	fmt.Fprintln(t, "\nVERSION\tEVENT\tOCCURRED\tDETAILS")
	for i := range o.Timeline {
		e := &o.Timeline[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", e.Version, e.Type, instant(e.OccurredAt), details(e))
	}
	return t.Flush()
}

func writeShort(t io.Writer, short []client.ShortLine) {
	if len(short) > 0 {
		fmt.Fprintln(t, "\nSHORT\tREQUESTED\tAVAILABLE\tREASON")
	}
	for _, s := range short {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", s.SKU, s.Requested, s.Available, s.Reason)
	}
}

// writeFulfilments shows what has left or will, and what comes back.
func writeFulfilments(t io.Writer, o *client.Order) {
	if len(o.Fulfilments) > 0 {
		fmt.Fprintln(t, "\nFULFILMENT\tSTATUS\tTRACKING\tLINES")
	}
	for _, f := range o.Fulfilments {
		var lines []string
		for _, l := range f.Lines {
			lines = append(lines, fmt.Sprintf("%s=%d", l.SKU, l.Quantity))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.FulfilmentID, f.Status, f.TrackingReference, strings.Join(lines, " "))
	}
	if len(o.Returns) > 0 {
		fmt.Fprintln(t, "\nRETURN\tSTATUS\tREASON\tLINES, RECEIVED OF ASKED")
	}
	for _, r := range o.Returns {
		var lines []string
		for _, l := range r.Lines {
			lines = append(lines, fmt.Sprintf("%s=%d/%d", l.SKU, l.Received, l.Quantity))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ReturnID, r.Status, r.Reason, strings.Join(lines, " "))
	}
}

// details is what an event adds, and its cause where it is not a command's.
func details(e *client.TimelineEntry) string {
	parts := []string{e.Amount, e.Reference, e.Reason}
	for _, l := range e.Lines {
		parts = append(parts, fmt.Sprintf("%s=%d", l.SKU, l.Quantity))
	}
	for _, s := range e.Short {
		parts = append(parts, fmt.Sprintf("%s: %d of %d", s.SKU, s.Available, s.Requested))
	}
	if e.Cause != "" && e.Cause != "command" {
		parts = append(parts, "("+string(e.Cause)+")")
	}
	var shown []string
	for _, p := range parts {
		if p != "" {
			shown = append(shown, p)
		}
	}
	return strings.Join(shown, " ")
}
