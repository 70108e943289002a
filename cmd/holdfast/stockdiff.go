package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newDiffCommand(api *apiFlags) *cobra.Command {
	var filter client.ChangesFilter
	c := &cobra.Command{
		Use:   "diff [SKU]",
		Short: "Show what differs in stock between two moments",
		Example: `  holdfast stock diff --from 2026-05-04T00:00:00Z --to 2026-05-05T00:00:00Z
  holdfast stock diff A1 --from 2026-05-04T00:00:00Z`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := refuseEmpty(cmd, "to"); err != nil {
				return err
			}
			if len(args) > 0 {
				filter.SKU = args[0]
			}
			options := append(api.queryOptions(), client.By(client.Clock(api.clock)))
			answer, err := api.client().StockChanges(cmd.Context(), filter, options...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeStockChanges(w, &answer.Value)
			})
		},
	}
	c.Flags().StringVar(&filter.From, "from", "", "the `MOMENT` to compare with: a time such as "+
		"2026-05-04T10:12:00Z, or a position")
	c.Flags().StringVar(&filter.To, "to", "", "the `MOMENT` that is compared; now without it")
	api.addClock(c)
	c.Flags().StringVar(&filter.Prefix, "prefix", "", "only items whose SKU begins with this `TEXT`")
	c.Flags().StringVar(&filter.Location, "location", "", "only what differs at this `LOCATION`")
	c.Flags().IntVar(&filter.Limit, "limit", 50, "how many items to show, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "the next page: the `CURSOR` that the page before ends with")
	_ = c.MarkFlagRequired("from") // the flag is there
	for _, name := range []string{"from", "to", "prefix", "location", "cursor"} {
		completeFlag(c, name)
	}
	return api.addAfter(c)
}

// writeStockChanges shows a page of items that differ, a line for each location.
func writeStockChanges(w io.Writer, page *client.StockChangesPage) error {
	if len(page.Items) == 0 {
		_, err := fmt.Fprintln(w, "Nothing differs.")
		return err
	}
	t := newTable(w)
	fmt.Fprintln(t, "SKU\tDESCRIPTION\tAVAILABLE\tON HAND\tLOCATION\tDIFFERENCE")
	for i := range page.Items {
		c := &page.Items[i]
		sku, description := c.SKU, c.Description
		available := fmt.Sprintf("%d → %d", c.From.Available, c.To.Available)
		onHand := fmt.Sprintf("%d → %d", c.From.OnHand, c.To.OnHand)
		for _, l := range c.Locations {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", sku, description, available, onHand, l.Location, changeOf(&l.Delta))
			sku, description, available, onHand = "", "", "", ""
		}
	}
	if err := t.Flush(); err != nil || page.NextCursor == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "more: --cursor %s\n", page.NextCursor)
	return err
}
