package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newStockCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{Use: "stock", Short: "Change and look up stock"}
	api.add(c)
	c.AddCommand(newGetStockCommand(api), newShowStockCommand(api))
	c.AddCommand(stockChanges(api)...)
	return c
}

func newGetStockCommand(api *apiFlags) *cobra.Command {
	return api.addAfter(&cobra.Command{
		Use:   "get SKU...",
		Short: "Show levels by location",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := api.client().Availabilities(cmd.Context(), args, api.queryOptions()...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			err = api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeStock(w, answer.Value.Items)
			})
			if err != nil {
				return err
			}
			if len(answer.Value.Unknown) > 0 {
				return fmt.Errorf("unknown SKU: %s", strings.Join(answer.Value.Unknown, ", "))
			}
			return nil
		},
	})
}

func newShowStockCommand(api *apiFlags) *cobra.Command {
	return api.addAfter(&cobra.Command{
		Use:   "show SKU",
		Short: "Show an item with its transfers, deliveries and backorders",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := api.client().Stock(cmd.Context(), args[0], api.queryOptions()...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeStockItem(w, &answer.Value)
			})
		},
	})
}
