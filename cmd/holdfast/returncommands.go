package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// returnCommands are those on goods that come back.
func returnCommands(l *lookup) []*cobra.Command {
	var asked, came []string
	var request client.RequestReturn
	var reason, location string
	ask := orderChange(l, "request-return ORDER_ID", "A customer will send lines back; without --line all that was delivered", 1,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			var err error
			if request.Lines, err = quantities(asked); err != nil {
				return nil, err
			}
			return api.RequestReturn(ctx, args[0], request, o...)
		})
	ask.Flags().StringArrayVar(&asked, "line", nil, "SKU=QUANTITY; several times for several")
	ask.Flags().StringVar(&request.Reason, "reason", "", "why")
	receive := orderChange(l, "receive-return ORDER_ID RETURN_ID", "Record lines that came back", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			lines, err := returnedLines(came)
			if err != nil {
				return nil, err
			}
			return api.ReceiveReturn(ctx, args[0], args[1], client.ReceiveReturn{Lines: lines, Location: location}, o...)
		})
	receive.Flags().StringArrayVar(&came, "line", nil, "SKU=QUANTITY@CONDITION, as in A1=2@resellable or A1=1@damaged; several times for several")
	receive.Flags().StringVar(&location, "location", "", "where they came back to; where they had left from, without")
	cancel := orderChange(l, "cancel-return ORDER_ID RETURN_ID", "Give up what of a return has not come", 2,
		func(ctx context.Context, api *client.Client, args []string, o options) (orderAnswer, error) {
			return api.CancelReturn(ctx, args[0], args[1], reason, o...)
		})
	cancel.Flags().StringVar(&reason, "reason", "", "why")
	return []*cobra.Command{ask, receive, cancel}
}

// returnedLines reads lines written as SKU=QUANTITY@CONDITION.
func returnedLines(lines []string) ([]client.ReturnedLine, error) {
	out := make([]client.ReturnedLine, 0, len(lines))
	for _, line := range lines {
		rest, condition, ok := cutLast(line, "@")
		if !ok {
			return nil, fmt.Errorf("the line %q is not SKU=QUANTITY@CONDITION, as in A1=2@resellable", line)
		}
		quantity, err := quantities([]string{rest})
		if err != nil {
			return nil, err
		}
		out = append(out, client.ReturnedLine{
			SKU: quantity[0].SKU, Quantity: quantity[0].Quantity, Condition: client.ReturnedLineCondition(condition),
		})
	}
	return out, nil
}
