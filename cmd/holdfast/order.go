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
	c.AddCommand(newGetOrderCommand(api), newListOrdersCommand(api), newWatchOrdersCommand(api),
		newAllocationsCommand(api))
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
