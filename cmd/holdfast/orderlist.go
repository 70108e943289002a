package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

func newListOrdersCommand(api *apiFlags) *cobra.Command {
	var filter client.OrderFilter
	var entries []string
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List orders, newest first",
		Long:  "List the orders that have all that the flags name, newest first.",
		Example: `  holdfast order list --status reserved --deadline-to 2026-03-02
  holdfast order list --sku MUG --fulfilment-status unfulfilled`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if filter.Metadata, err = metadata(entries); err != nil {
				return err
			}
			if all {
				if !cmd.Flags().Changed("limit") {
					filter.Limit = 0
				}
				if _, err := api.client().OrdersCSV(cmd.Context(), filter, cmd.OutOrStdout(), api.queryOptions()...); err != nil {
					return explainRefusal(cmd, err)
				}
				return nil
			}
			page, err := listOrders(cmd.Context(), api, filter)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), page, func(w io.Writer) error { return writeOrders(w, page) })
		},
	}
	addOrderFilter(c, &filter, &entries)
	c.Flags().IntVar(&filter.Limit, "limit", 20, "how many to list, at most 500")
	c.Flags().StringVar(&filter.Cursor, "cursor", "", "the next page: the `CURSOR` that the page before ends with")
	c.Flags().BoolVar(&all, "csv", false, "all orders as CSV, however many there are; an error says that it broke off")
	return api.addAfter(c)
}

// listOrders reads pages until it has the filter's limit: a page of which nothing has an index may have few.
func listOrders(ctx context.Context, api *apiFlags, filter client.OrderFilter) (*client.OrderPage, error) {
	page := &client.OrderPage{Items: []client.Order{}}
	for limit := filter.Limit; ; {
		answer, err := api.client().Orders(ctx, filter, api.queryOptions()...)
		if err != nil {
			return nil, err
		}
		page.Items, page.NextCursor = append(page.Items, answer.Value.Items...), answer.Value.NextCursor
		filter.Cursor, filter.Limit = page.NextCursor, limit-len(page.Items)
		if page.NextCursor == "" || filter.Limit <= 0 {
			return page, nil
		}
	}
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

// paymentStatuses, fulfilmentStatuses, returnStatuses and orderKinds are those that a list can be filtered by.
var (
	paymentStatuses = []string{
		string(client.PaymentStatusNotRequired),
		string(client.PaymentStatusPending),
		string(client.PaymentStatusAuthorized),
		string(client.PaymentStatusPartiallyCaptured),
		string(client.PaymentStatusCaptured),
		string(client.PaymentStatusPartiallyRefunded),
		string(client.PaymentStatusRefunded),
		string(client.PaymentStatusVoided),
		string(client.PaymentStatusFailed),
	}
	fulfilmentStatuses = []string{
		string(client.FulfilmentStatusUnfulfilled),
		string(client.FulfilmentStatusPartiallyFulfilled),
		string(client.FulfilmentStatusFulfilled),
		string(client.FulfilmentStatusDelivered),
	}
	returnStatuses = []string{
		string(client.ReturnStatusNone),
		string(client.ReturnStatusRequested),
		string(client.ReturnStatusPartiallyReceived),
		string(client.ReturnStatusReceived),
	}
	orderKinds = []string{
		string(client.OrderKindOrder),
		string(client.OrderKindImportedOrder),
		string(client.OrderKindCreditNote),
	}
)

// addOrderFilter adds the flags of a filter.
func addOrderFilter(c *cobra.Command, filter *client.OrderFilter, entries *[]string) {
	for _, f := range []struct {
		name   string
		target *string
		words  []string
	}{
		{"status", (*string)(&filter.Status), orderStatuses},
		{"payment-status", (*string)(&filter.PaymentStatus), paymentStatuses},
		{"fulfilment-status", (*string)(&filter.FulfilmentStatus), fulfilmentStatuses},
		{"return-status", (*string)(&filter.ReturnStatus), returnStatuses},
		{"kind", (*string)(&filter.Kind), orderKinds},
	} {
		c.Flags().StringVar(f.target, f.name, "", "only orders that are `ONE` of these: "+enumerate(f.words, "or"))
		completeFlag(c, f.name, f.words...)
	}
	for _, f := range []struct {
		name   string
		target *string
		usage  string
	}{
		{"customer", &filter.CustomerID, "only orders of this customer `ID`"},
		{"sku", &filter.SKU, "only orders with a line of this `SKU`"},
		{"reference", &filter.Reference, "only orders with this `REFERENCE`"},
		{"country", &filter.Country, "only orders to this `COUNTRY`"},
		{"currency", &filter.Currency, "only orders in this currency, by its ISO 4217 `CODE`"},
		{"min-total", &filter.MinTotal, "only orders that cost this `AMOUNT` or more; needs --currency"},
		{"max-total", &filter.MaxTotal, "only orders that cost this `AMOUNT` or less; needs --currency"},
		{"placed-from", &filter.PlacedFrom, "only orders placed at this day or `TIME` or later, such as 2026-03-01"},
		{"placed-to", &filter.PlacedTo, "only orders placed before this day or `TIME`"},
		{"changed-from", &filter.ChangedFrom, "only orders changed last at this day or `TIME` or later"},
		{"changed-to", &filter.ChangedTo, "only orders changed last before this day or `TIME`"},
		{"deadline-from", &filter.DeadlineFrom, "only orders to be paid at this day or `TIME` or later"},
		{"deadline-to", &filter.DeadlineTo, "only orders to be paid before this day or `TIME`"},
	} {
		c.Flags().StringVar(f.target, f.name, "", f.usage)
	}
	c.Flags().StringArrayVar(entries, "metadata", nil, "only orders that have this `KEY=VALUE`; repeat the flag for more")
}
