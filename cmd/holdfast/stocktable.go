package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/client"
)

// writeStock shows items, a block each.
func writeStock(w io.Writer, items []client.Availability) error {
	for i := range items {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeLevels(w, &items[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeLevels shows an item's levels by location. ON HAND is the sum of the columns before it, with
// BACKORDERED taken off.
func writeLevels(w io.Writer, a *client.Availability) error {
	fmt.Fprintln(w, strings.TrimSpace(a.SKU+"  "+a.Description))
	fmt.Fprintf(w, "version %d, backorder limit %d, backordered %d\n", a.Version, a.BackorderLimit, a.Backordered)
	if a.TransferID != "" {
		fmt.Fprintf(w, "transfer %s\n", a.TransferID)
	}
	t := newTable(w)
	fmt.Fprintln(t, "LOCATION\tAVAILABLE\tBACKORDERED\tRESERVED\tCOMMITTED\tSAFETY\tDAMAGED\tQC\tON HAND\tINCOMING")
	for _, l := range append(a.Locations, client.LocationLevel{
		Location: "all", Available: a.Available, Backordered: a.Backordered, Reserved: a.Reserved,
		Committed: a.Committed, SafetyStock: a.SafetyStock,
		Damaged: a.Damaged, QualityControl: a.QualityControl, OnHand: a.OnHand, Incoming: a.Incoming,
	}) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", l.Location, l.Available, l.Backordered,
			l.Reserved, l.Committed, l.SafetyStock, l.Damaged, l.QualityControl, l.OnHand, l.Incoming)
	}
	return t.Flush()
}

// writeStockItem shows an item with its metadata, transfers, expected deliveries and waiting orders. Empty tables are
// left out.
func writeStockItem(w io.Writer, s *client.StockItem) error {
	err := writeLevels(w, &client.Availability{
		SKU: s.SKU, Description: s.Description, Version: s.Version,
		BackorderLimit: s.BackorderLimit, Backordered: s.Backordered,
		Available: s.Available, Reserved: s.Reserved, Committed: s.Committed, SafetyStock: s.SafetyStock,
		Damaged: s.Damaged, QualityControl: s.QualityControl, OnHand: s.OnHand, Incoming: s.Incoming,
		Locations: s.Locations,
	})
	if err != nil {
		return err
	}
	t := newTable(w)
	if len(s.Metadata) > 0 {
		fmt.Fprintln(t, "\nMETADATA\tVALUE")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		fmt.Fprintf(t, "%s\t%s\n", key, s.Metadata[key])
	}
	if len(s.Transfers) > 0 {
		fmt.Fprintln(t, "\nTRANSFER\tFROM\tTO\tUNDER\tSHIPPED\tREMAINING\tSHIPPED AT")
	}
	for _, x := range s.Transfers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", x.TransferID, x.FromLocation, x.ToLocation,
			x.Reference, x.Shipped, x.Remaining, formatTime(x.ShippedAt))
	}
	if len(s.Expected) > 0 {
		fmt.Fprintln(t, "\nEXPECTED UNDER\tAT\tQUANTITY")
	}
	for _, x := range s.Expected {
		fmt.Fprintf(t, "%s\t%s\t%d\n", x.Reference, x.Location, x.Quantity)
	}
	if len(s.Backorders) > 0 {
		fmt.Fprintln(t, "\nWAITING ORDER\tAT\tQUANTITY\tSINCE")
	}
	for _, x := range s.Backorders {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", x.OrderID, x.Location, x.Quantity, formatTime(x.Since))
	}
	return t.Flush()
}

// writeItems shows a page of items, a line each.
func writeItems(w io.Writer, page *client.AvailabilityPage) error {
	t := newTable(w)
	fmt.Fprintln(t, "SKU\tDESCRIPTION\tAVAILABLE\tRESERVED\tCOMMITTED\tON HAND\tINCOMING\tBACKORDERED\tLOCATIONS")
	for i := range page.Items {
		a := &page.Items[i]
		var locations []string
		for _, l := range a.Locations {
			locations = append(locations, fmt.Sprintf("%s %d", l.Location, l.Available))
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", a.SKU, a.Description, a.Available, a.Reserved, a.Committed,
			a.OnHand, a.Incoming, a.Backordered, strings.Join(locations, ", "))
	}
	if err := t.Flush(); err != nil || page.NextCursor == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more: --cursor %s\n", page.NextCursor)
	return err
}
