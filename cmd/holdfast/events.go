package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// eventsFlags are those of `holdfast events`.
type eventsFlags struct {
	filter client.EventFilter
	types  []string
	topic  string
	follow bool
}

func newEventsCommand() *cobra.Command {
	api, f := &apiFlags{}, &eventsFlags{}
	c := &cobra.Command{
		Use:   "events",
		Short: "List the events of the log, or follow them",
		Long: `List the events of the log behind a position, over HTTP: one a line, the events
of an order or an item in their order. With -o json each line is a CloudEvent.
With --follow go on with those that come. At the end, the position to go on
from is printed on stderr.`,
		Example: `  holdfast events --order 95f4b358-eb1f-81d6-adb5-ecb0547b000e
  holdfast events --follow --after now --types order_placed,order_cancelled
  holdfast events -o json --after o0.4~i0.2 > events.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseEmpty(cmd, "after"); err != nil {
				return err
			}
			return listEvents(cmd, api, f)
		},
	}
	api.add(c)
	flags := c.Flags()
	flags.BoolVar(&f.follow, "follow", false, "go on with the events that come, until interrupted")
	flags.StringVar(&f.filter.After, "after", "start", "begin behind this `POSITION`; or start, or now")
	flags.StringSliceVar(&f.types, "types", nil, "only changes with these `NAMES`, such as order_placed")
	flags.StringVar(&f.topic, "topic", "", "only this `TOPIC`: orders.events or inventory.events")
	flags.StringVar(&f.filter.OrderID, "order", "", "only the order with this `ID`")
	flags.StringVar(&f.filter.SKU, "sku", "", "only the item with this `SKU`")
	for _, name := range []string{"after", "types", "order", "sku"} {
		completeFlag(c, name)
	}
	completeFlag(c, "topic", "orders.events", "inventory.events")
	return c
}

// eventPage is how many events a request asks for.
const eventPage = 1_000

func listEvents(cmd *cobra.Command, api *apiFlags, f *eventsFlags) (err error) {
	f.filter.Topic, f.filter.Limit = client.EventTopic(f.topic), eventPage
	for _, t := range f.types {
		f.filter.Types = append(f.filter.Types, client.EventType(t))
	}
	pages := api.client().EventPages
	if f.follow {
		pages = api.client().FollowEvents
	}
	position := ""
	defer func() { // after an error too
		if position == "" {
			return
		}
		if _, failed := fmt.Fprintf(cmd.ErrOrStderr(), "position %s\n", position); err == nil {
			err = failed
		}
	}()
	for page, err := range pages(cmd.Context(), f.filter) {
		if err != nil && f.follow && cmd.Context().Err() != nil {
			break // interrupted
		}
		if err != nil {
			return explainRefusal(cmd, err)
		}
		for i := range page.Value {
			if err := writeEvent(cmd.OutOrStdout(), api, &page.Value[i]); err != nil {
				return err
			}
		}
		position = page.Position
	}
	return nil
}

func writeEvent(w io.Writer, api *apiFlags, ev *client.Event) error {
	if api.output == outputJSON {
		return writeLine(w, ev)
	}
	_, err := fmt.Fprintf(w, "%s  %-14s  %s  %s\n", formatTime(ev.Time), ev.Position, ev.Type, ev.Subject)
	return err
}

// writeLine writes a value as one line of JSON.
func writeLine(w io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}

func newWatchOrdersCommand(api *apiFlags) *cobra.Command {
	var filter client.OrderStream
	var status string
	c := &cobra.Command{
		Use:   "watch [ORDER_ID|NUMBER]",
		Short: "Show orders as they change, or one order",
		Long: `Show orders as they change, a line for each event of them, until interrupted. Of
one order, first as it is. With -o json each line is the whole order.`,
		Example: `  holdfast order watch 1034
  holdfast order watch --status on_hold`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			filter.Status = client.OrderStatus(status)
			messages := api.client().StreamOrders(cmd.Context(), filter)
			if len(args) == 1 {
				order, err := getOrder(cmd.Context(), api, args[0])
				if err != nil {
					return explainRefusal(cmd, err)
				}
				messages = api.client().StreamOrder(cmd.Context(), order.OrderID, filter.After)
			}
			return watch(cmd, api, messages, func(w io.Writer, event string, o *client.Order) error {
				_, err := fmt.Fprintf(w, "%s  %s  %d  %s  %s  %s %s\n", formatTime(orderTime(o)), o.OrderID, o.Number,
					event, o.Status, o.Total, o.Currency)
				return err
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&filter.After, "after", "", "begin behind this `POSITION`; or start, or now")
	flags.StringVar(&filter.CustomerID, "customer", "", "only orders of the customer with this `ID`")
	flags.StringVar(&status, "status", "", "only orders that have this `STATUS` after the event")
	for _, name := range []string{"after", "customer", "status"} {
		completeFlag(c, name)
	}
	return c
}

// orderTime is when the last event of an order occurred.
func orderTime(o *client.Order) (at time.Time) {
	if n := len(o.Timeline); n > 0 {
		at = o.Timeline[n-1].OccurredAt
	}
	return at
}

func newWatchStockCommand(api *apiFlags) *cobra.Command {
	var filter client.StockStream
	c := &cobra.Command{
		Use:   "watch [SKU...]",
		Short: "Show what can be sold as it changes",
		Long: `Show what of items can be sold as it changes, a line for each change, until
interrupted. Of SKUs that are named, first as it is. With -o json each line is
the whole row.`,
		Example: `  holdfast stock watch A1 A2
  holdfast stock watch --location north --below 5`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter.SKUs = args
			messages := api.client().StreamAvailability(cmd.Context(), filter)
			return watch(cmd, api, messages, func(w io.Writer, _ string, item *client.Availability) error {
				_, err := fmt.Fprintf(w, "%s  %s  available %d  on hand %d  reserved %d  committed %d\n",
					formatTime(item.OccurredAt), item.SKU, item.Available, item.OnHand, item.Reserved, item.Committed)
				return err
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&filter.After, "after", "", "begin behind this `POSITION`; or start, or now")
	flags.StringVar(&filter.Location, "location", "", "only items that this `LOCATION` has, or has had")
	flags.Int64Var(&filter.Below, "below", 0, "only items of which less than this can be sold, there or anywhere")
	for _, name := range []string{"after", "location"} {
		completeFlag(c, name)
	}
	return c
}

// watch writes the messages of a stream until it is interrupted.
func watch[T any](
	cmd *cobra.Command, api *apiFlags, messages func(yield func(*client.Message[T], error) bool),
	line func(w io.Writer, event string, value *T) error,
) error {
	for m, err := range messages {
		switch {
		case err != nil && cmd.Context().Err() != nil:
			return nil // interrupted
		case err != nil:
			return explainRefusal(cmd, err)
		case api.output == outputJSON:
			err = writeLine(cmd.OutOrStdout(), &m.Value)
		default:
			err = line(cmd.OutOrStdout(), m.Event, &m.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
