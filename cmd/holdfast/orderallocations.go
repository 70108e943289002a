package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newAllocationsCommand(api *apiFlags) *cobra.Command {
	return api.addAsOf(&cobra.Command{
		Use:   "allocations ORDER_ID|NUMBER",
		Short: "Show where an order's goods are, or have left",
		Example: `  holdfast order allocations 1034
  holdfast order allocations 1034 --as-of 2026-05-04T10:12:00Z -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
			id := args[0]
			if _, err := strconv.ParseUint(id, 10, 64); err == nil {
				order, err := getOrder(cmd.Context(), api, id)
				if err != nil {
					return explainRefusal(cmd, err)
				}
				id = order.OrderID
			}
			answer, err := api.client().OrderAllocations(cmd.Context(), id, api.queryOptions()...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeAllocations(w, &answer.Value)
			})
		},
	})
}

func writeAllocations(w io.Writer, order *client.OrderAllocations) error {
	if len(order.Items) == 0 {
		_, err := fmt.Fprintln(w, "It has nothing at any location.")
		return err
	}
	t := newTable(w)
	fmt.Fprintln(t, "SKU\tLOCATION\tRESERVED\tCOMMITTED\tBACKORDERED\tSHIPPED\tRESTOCKED\tDAMAGED")
	for _, item := range order.Items {
		for _, l := range item.Locations {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", item.SKU, l.Location, l.Reserved, l.Committed,
				l.Backordered, l.Shipped, l.Restocked, l.Damaged)
		}
	}
	return t.Flush()
}
