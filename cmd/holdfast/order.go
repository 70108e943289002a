package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newOrderCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{Use: "order", Short: "Place, change and look up orders"}
	api.add(c)
	c.AddCommand(newGetOrderCommand(api), newListOrdersCommand(api))
	c.AddCommand(orderChanges(api)...)
	return c
}

func newGetOrderCommand(api *apiFlags) *cobra.Command {
	return api.addAsOf(&cobra.Command{
		Use:   "get ORDER_ID|NUMBER",
		Short: "Show an order and its timeline",
		Example: `  holdfast order get 95f4b358-eb1f-81d6-adb5-ecb0547b000e
  holdfast order get 1034
  holdfast order get 1034 --as-of 2026-05-04T10:12:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
			order, err := getOrder(cmd.Context(), api, args[0])
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), order, func(w io.Writer) error { return writeOrder(w, order) })
		},
	})
}

// getOrder reads an order by its ID, or by its number: no ID is a number.
func getOrder(ctx context.Context, api *apiFlags, name string) (*client.Order, error) {
	number, err := strconv.ParseInt(name, 10, 64)
	if err != nil || number < 1 {
		answer, err := api.client().Order(ctx, name, api.queryOptions()...)
		if err != nil {
			return nil, err
		}
		return &answer.Value, nil
	}
	found, err := api.client().Orders(ctx, client.OrderFilter{Number: number}, client.After(api.after))
	switch {
	case err != nil:
		return nil, err
	case len(found.Value.Items) == 0:
		return nil, fmt.Errorf("no order has the number %d, or the view has not seen it yet", number)
	case api.asOf == "":
		return &found.Value.Items[0], nil
	}
	answer, err := api.client().Order(ctx, found.Value.Items[0].OrderID, api.queryOptions()...)
	if err != nil {
		return nil, err
	}
	return &answer.Value, nil
}

// orderStatuses are those that a list can be filtered by, in the order in which an order has them.
var orderStatuses = []string{
	string(client.OrderStatusPlaced),
	string(client.OrderStatusReserved),
	string(client.OrderStatusConfirmed),
	string(client.OrderStatusOnHold),
	string(client.OrderStatusCompleted),
	string(client.OrderStatusRejected),
	string(client.OrderStatusCancelled),
	string(client.OrderStatusExpired),
}

func newListOrdersCommand(api *apiFlags) *cobra.Command {
	var filter client.OrderFilter
	var status string
	var entries []string
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List orders, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if filter.Metadata, err = metadata(entries); err != nil {
				return err
			}
			filter.Status = client.OrderStatus(status)
			if all {
				if !cmd.Flags().Changed("limit") {
					filter.Limit = 0
				}
				_, err := api.client().OrdersCSV(cmd.Context(), filter, cmd.OutOrStdout(), api.queryOptions()...)
				if err != nil {
					return explainRefusal(cmd, err)
				}
				return nil
			}
			answer, err := api.client().Orders(cmd.Context(), filter, api.queryOptions()...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeOrders(w, &answer.Value)
			})
		},
	}
	c.Flags().StringVar(&filter.CustomerID, "customer", "", "only orders of this customer `ID`")
	c.Flags().StringVar(&status, "status", "", "only orders with this `STATUS`: "+enumerate(orderStatuses, "or"))
	c.Flags().StringArrayVar(&entries, "metadata", nil,
		"only orders that have this `KEY=VALUE`; repeat the flag for more")
	c.Flags().IntVar(&filter.Limit, "limit", 20, "how many to list, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "the next page: the `CURSOR` that the page before ends with")
	c.Flags().BoolVar(&all, "csv", false, "all orders as CSV, however many there are; an error says that it broke off")
	completeFlag(c, "status", orderStatuses...)
	return api.addAfter(c)
}
