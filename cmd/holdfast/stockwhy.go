package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// defaultStory is how many events a story has unless it is asked for more, and longestStory how many at most.
const (
	defaultStory = 20
	longestStory = 500
)

func newWhyCommand(api *apiFlags) *cobra.Command {
	filter := client.LedgerFilter{}
	c := &cobra.Command{
		Use:   "why SKU",
		Short: "Explain the stock of an item by the events that led to it",
		Long: "Why shows what there is of an item, and the events that led to it, the oldest\n" +
			"first: what happened, for which order or document, who asked for it, and by how\n" +
			"much each quantity changed.",
		Example: `  holdfast stock why A1
  holdfast stock why A1 --location north --as-of 2026-05-04T10:12:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
			return why(cmd, api, args[0], filter)
		},
	}
	c.Flags().StringVar(&filter.Location, "location", "", "only what changed this `LOCATION`")
	c.Flags().IntVar(&filter.Limit, "limit", defaultStory,
		fmt.Sprintf("how many events to show, at most %d", longestStory))
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "older events: the `CURSOR` that the page before ends with")
	completeFlag(c, "location")
	completeFlag(c, "cursor")
	return api.addAsOf(c)
}

func why(cmd *cobra.Command, api *apiFlags, sku string, filter client.LedgerFilter) error {
	item, err := api.client().Availability(cmd.Context(), sku, api.queryOptions()...)
	if err != nil {
		return explainRefusal(cmd, err)
	}
	ledger, err := api.client().Ledger(cmd.Context(), sku, filter, api.queryOptions()...)
	if err != nil {
		return explainRefusal(cmd, err)
	}
	return api.print(cmd.OutOrStdout(), ledger.Value, func(w io.Writer) error {
		if err := writeLevels(w, &item.Value); err != nil {
			return err
		}
		return writeStory(w, &ledger.Value)
	})
}

// writeStory shows the entries of a ledger, the oldest first, a line for each location.
func writeStory(w io.Writer, ledger *client.Ledger) error {
	fmt.Fprintln(w)
	if ledger.NextCursor != "" {
		fmt.Fprintf(w, "older events: --cursor %s\n", ledger.NextCursor)
	}
	t := newTable(w)
	fmt.Fprintln(t, "RECORDED\tWHAT\tLOCATION\tCHANGE\tTHEN AVAILABLE\tBACKORDERED\tON HAND\tWHY")
	for _, e := range slices.Backward(ledger.Entries) {
		when, what, reason := formatTime(e.RecordedAt), strings.ReplaceAll(e.Type, "_", " "), whyOf(&e)
		if len(e.Locations) == 0 {
			fmt.Fprintf(t, "%s\t%s\t\t\t%d\t%d\t%d\t%s\n", when, what, e.Total.Available, e.Total.Backordered,
				e.Total.OnHand, reason)
		}
		for _, l := range e.Locations {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", when, what, l.Location, changeOf(&l.Delta), l.Level.Available,
				l.Level.Backordered, l.Level.OnHand, reason)
			when, what, reason = "", "", ""
		}
	}
	return t.Flush()
}

// changeOf names the quantities that changed, such as "-2 available, +2 reserved".
func changeOf(d *client.StockDelta) string {
	var changes []string
	for _, c := range []struct {
		name  string
		delta int64
	}{
		{"available", d.Available}, {"backordered", d.Backordered}, {"reserved", d.Reserved}, {"committed", d.Committed},
		{"safety stock", d.SafetyStock},
		{"damaged", d.Damaged}, {"in quality control", d.QualityControl}, {"on hand", d.OnHand}, {"incoming", d.Incoming},
	} {
		if c.delta != 0 {
			changes = append(changes, fmt.Sprintf("%+d %s", c.delta, c.name))
		}
	}
	return strings.Join(changes, ", ")
}

// whyOf says for what an event was, and who asked for it.
func whyOf(e *client.LedgerEntry) string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add("order %s", e.OrderID)
	add("reference %s", e.Reference)
	add("transfer %s", e.TransferID)
	add("reason %s", e.Reason)
	add("by %s", e.Principal.Name)
	if e.Principal.Name != "" && !e.Principal.Verified {
		parts = append(parts, "(unverified)")
	}
	if e.Cause != client.Command && e.Cause != client.Saga {
		add("(%s)", string(e.Cause))
	}
	if !e.OccurredAt.Truncate(1e9).Equal(e.RecordedAt.Truncate(1e9)) {
		add("occurred %s", formatTime(e.OccurredAt))
	}
	return strings.Join(parts, " ")
}
