package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newLocationsCommand() *cobra.Command {
	api := &apiFlags{}
	root := &cobra.Command{
		Use:   "locations",
		Short: "Declare, list and retire the locations of stock",
		Long: `Declare, list and retire the locations of stock. Once one is declared, stock
comes to known locations alone: those that are declared, main, and those that
an item has had already. Until then any name makes a location.`,
	}
	api.add(root)
	root.AddCommand(newLocationsList(api), newLocationsPut(api),
		newLocationChange(api, "retire LOCATION", "Have a location take no new goods",
			func(c *call) (*client.Answer[client.StockLocation], error) {
				return c.api.RetireLocation(c.ctx, c.args[0])
			}),
		newLocationChange(api, "reopen LOCATION", "Take a retired location into use again",
			func(c *call) (*client.Answer[client.StockLocation], error) {
				return c.api.ReopenLocation(c.ctx, c.args[0])
			}))
	return root
}

func newLocationsList(api *apiFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the locations that were declared, and main",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := api.client().Locations(cmd.Context())
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeLocations(w, answer.Value.Items...)
			})
		},
	}
}

func newLocationsPut(api *apiFlags) *cobra.Command {
	var is client.PutLocation
	c := newLocationChange(api, "put LOCATION", "Declare a location, or change its description",
		func(c *call) (*client.Answer[client.StockLocation], error) {
			return c.api.PutLocation(c.ctx, c.args[0], is)
		})
	c.Flags().StringVar(&is.Description, "description", "", "description, as `TEXT`; without it the location has none")
	return c
}

// newLocationChange is a command that changes a location, its argument.
func newLocationChange(
	api *apiFlags, use, short string, send func(*call) (*client.Answer[client.StockLocation], error),
) *cobra.Command {
	var actor string
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := send(&call{ctx: cmd.Context(), api: api.client().As(actor), args: args})
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				return writeLocations(w, answer.Value)
			})
		},
	}
	actorFlag(c, &actor)
	return c
}

func writeLocations(w io.Writer, locations ...client.StockLocation) error {
	t := newTable(w)
	fmt.Fprintln(t, "LOCATION\tSTATUS\tDESCRIPTION")
	for _, l := range locations {
		status := "open"
		if l.Retired {
			status = "retired"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", l.Location, status, cmp.Or(l.Description, "-"))
	}
	return t.Flush()
}
