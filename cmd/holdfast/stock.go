package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newStockCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{Use: "stock", Short: "Change and look up stock"}
	api.add(c)
	c.AddCommand(newGetStockCommand(api), newShowStockCommand(api), newListStockCommand(api),
		newWhyCommand(api), newDiffCommand(api), newWatchStockCommand(api))
	c.AddCommand(stockChanges(api)...)
	return c
}

func newGetStockCommand(api *apiFlags) *cobra.Command {
	return api.addAsOf(&cobra.Command{
		Use:   "get SKU...",
		Short: "Show levels by location",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
			if api.asOf != "" {
				return getPastStock(cmd, api, args)
			}
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

// getPastStock shows items as they were, one after the other.
func getPastStock(cmd *cobra.Command, api *apiFlags, skus []string) error {
	var items []client.Availability
	for _, sku := range skus {
		answer, err := api.client().Availability(cmd.Context(), sku, api.queryOptions()...)
		if err != nil {
			return fmt.Errorf("%s: %w", sku, explainRefusal(cmd, err))
		}
		items = append(items, answer.Value)
	}
	return api.print(cmd.OutOrStdout(), client.AvailabilityPage{Items: items}, func(w io.Writer) error {
		return writeStock(w, items)
	})
}

func newListStockCommand(api *apiFlags) *cobra.Command {
	var filter client.ItemFilter
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List items by SKU, now or at a moment of the past",
		Example: `  holdfast stock list --below 1
  holdfast stock list --location north --as-of 2026-05-04T10:12:00Z --csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
			if cmd.Flags().Changed("below") && filter.Below < 1 {
				return errors.New("--below must be a whole number from 1: --below 1 is what is sold out")
			}
			if all {
				if !cmd.Flags().Changed("limit") {
					filter.Limit = 0
				}
				_, err := api.client().ItemsCSV(cmd.Context(), filter, cmd.OutOrStdout(), api.queryOptions()...)
				if err != nil {
					return explainRefusal(cmd, err)
				}
				return nil
			}
			answer, err := api.client().Items(cmd.Context(), filter, api.queryOptions()...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeItems(w, &answer.Value)
			})
		},
	}
	c.Flags().StringVar(&filter.Text, "text", "", "only items that have all these `WORDS` in SKU or description")
	c.Flags().StringVar(&filter.Prefix, "prefix", "", "only items whose SKU begins with this `TEXT`")
	c.Flags().StringVar(&filter.Location, "location", "", "only items that this `LOCATION` has, or has had")
	c.Flags().Int64Var(&filter.Below, "below", 0, "only items of which less than this can be sold, there or "+
		"anywhere; 1: what is sold out")
	c.Flags().IntVar(&filter.Limit, "limit", 50, "how many to list, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "the next page: the `CURSOR` that the page before ends with")
	for _, name := range []string{"prefix", "location", "cursor"} {
		completeFlag(c, name)
	}
	c.Flags().BoolVar(&all, "csv", false, "all items as CSV, however many there are; an error says that it broke off")
	return api.addAsOf(c)
}

func newShowStockCommand(api *apiFlags) *cobra.Command {
	return api.addAsOf(&cobra.Command{
		Use:   "show SKU",
		Short: "Show an item with its transfers, deliveries and backorders",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.checkAsOf(cmd); err != nil {
				return err
			}
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
