package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// Each operation of schemas/openapi.yaml has a method that sends its request. The calls pass the names of the path's
// parameters as their values, and empty bodies: a member that is not set is left out, for the server refuses null.
func TestEveryOperationHasAMethod(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path
		if body, err := io.ReadAll(r.Body); err != nil || bytes.Contains(body, []byte("null")) {
			t.Errorf("%s: %s, %v", got, body, err)
		}
		switch {
		case r.URL.Path == "/v1/events":
			io.WriteString(w, `[]`)
		case strings.HasSuffix(r.URL.Path, "/stream"):
			io.WriteString(w, ": holdfast\nretry: 1000\n\nid: o0.1\nevent: order\ndata: {}\n\n")
		default:
			io.WriteString(w, `{}`)
		}
	}))
	defer server.Close()
	calls := callsOf(client.New(server.URL), client.New(server.URL, client.WithAttempts(1)))
	for _, o := range apitest.Open(t).Operations() {
		if !strings.HasPrefix(o.Path, "/v1/") {
			continue // health is for operators
		}
		want := o.Method + " " + strings.NewReplacer("{", "", "}", "").Replace(o.Path)
		call, ok := calls[o.ID]
		if !ok {
			t.Errorf("%s: no method calls it", o.ID)
			continue
		}
		if err := call(t.Context()); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", o.ID, got, err, want)
		}
		delete(calls, o.ID)
	}
	for id := range calls {
		t.Errorf("%s is no operation", id)
	}
}

// callsOf are calls of the client's methods, by the ID of the operation. once is the same client without retries.
func callsOf(c, once *client.Client) map[string]func(context.Context) error {
	const order, fulfilment, returned, sku, transfer = "order_id", "fulfilment_id", "return_id", "sku", "transfer_id"
	const replay = "replay_id"
	type ctx = context.Context
	decide := func(action client.ReplayAction) func(ctx) error {
		return func(x ctx) error { return errorOf(c.DecideReplay(x, replay, action, client.Decide{})) }
	}
	return map[string]func(ctx) error{
		"createKey":        func(x ctx) error { return errorOf(c.CreateKey(x, client.NewKey{Scopes: []client.Scope{}})) },
		"listKeys":         func(x ctx) error { return errorOf(c.Keys(x)) },
		"revokeKey":        func(x ctx) error { return c.RevokeKey(x, "key_id") },
		"listLocations":    func(x ctx) error { return errorOf(c.Locations(x)) },
		"putLocation":      func(x ctx) error { return errorOf(c.PutLocation(x, "location", client.PutLocation{})) },
		"retireLocation":   func(x ctx) error { return errorOf(c.RetireLocation(x, "location")) },
		"reopenLocation":   func(x ctx) error { return errorOf(c.ReopenLocation(x, "location")) },
		"placeOrder":       func(x ctx) error { return errorOf(c.PlaceOrder(x, client.PlaceOrder{})) },
		"cancelOrder":      func(x ctx) error { return errorOf(c.CancelOrder(x, order, "")) },
		"confirmOrder":     func(x ctx) error { return errorOf(c.ConfirmOrder(x, order)) },
		"recordPayment":    func(x ctx) error { return errorOf(c.RecordPayment(x, order, client.Payment{})) },
		"shipOrder":        func(x ctx) error { return errorOf(c.ShipOrder(x, order, client.ShipOrder{})) },
		"cancelLines":      func(x ctx) error { return errorOf(c.CancelLines(x, order, client.CancelLines{})) },
		"amendOrder":       func(x ctx) error { return errorOf(c.AmendOrder(x, order, client.AmendOrder{})) },
		"holdOrder":        func(x ctx) error { return errorOf(c.HoldOrder(x, order, "")) },
		"resumeOrder":      func(x ctx) error { return errorOf(c.ResumeOrder(x, order)) },
		"cancelFulfilment": func(x ctx) error { return errorOf(c.CancelFulfilment(x, order, fulfilment, "")) },
		"shipFulfilment": func(x ctx) error {
			return errorOf(c.ShipFulfilment(x, order, fulfilment, client.ShipFulfilment{}))
		},
		"deliverOrder": func(x ctx) error {
			return errorOf(c.DeliverOrder(x, order, fulfilment, client.DeliverOrder{}))
		},
		"failDelivery": func(x ctx) error {
			return errorOf(c.FailDelivery(x, order, fulfilment, client.FailDelivery{}))
		},
		"reverseShipment": func(x ctx) error { return errorOf(c.ReverseShipment(x, order, fulfilment, "")) },
		"reverseDelivery": func(x ctx) error {
			return errorOf(c.ReverseDelivery(x, order, fulfilment, client.ReverseDelivery{}))
		},
		"requestReturn": func(x ctx) error { return errorOf(c.RequestReturn(x, order, client.RequestReturn{})) },
		"receiveReturn": func(x ctx) error {
			return errorOf(c.ReceiveReturn(x, order, returned, client.ReceiveReturn{}))
		},
		"cancelReturn":     func(x ctx) error { return errorOf(c.CancelReturn(x, order, returned, "")) },
		"importOrder":      func(x ctx) error { return errorOf(c.ImportOrder(x, client.ImportDocument{})) },
		"importCreditNote": func(x ctx) error { return errorOf(c.ImportCreditNote(x, client.ImportDocument{})) },
		"registerItem":     func(x ctx) error { return errorOf(c.RegisterItem(x, sku, client.RegisterItem{})) },
		"receiveStock":     func(x ctx) error { return errorOf(c.ReceiveStock(x, sku, client.ReceiveStock{})) },
		"expectStock":      func(x ctx) error { return errorOf(c.ExpectStock(x, sku, client.ExpectStock{})) },
		"moveStock":        func(x ctx) error { return errorOf(c.MoveStock(x, sku, client.MoveStock{})) },
		"shipTransfer":     func(x ctx) error { return errorOf(c.ShipTransfer(x, sku, client.ShipTransfer{})) },
		"receiveTransfer": func(x ctx) error {
			return errorOf(c.ReceiveTransfer(x, sku, transfer, client.ReceiveTransfer{}))
		},
		"cancelTransfer":    func(x ctx) error { return errorOf(c.CancelTransfer(x, sku, transfer, "")) },
		"adjustStock":       func(x ctx) error { return errorOf(c.AdjustStock(x, sku, client.AdjustStock{})) },
		"countStock":        func(x ctx) error { return errorOf(c.CountStock(x, sku, client.CountStock{})) },
		"setSafetyStock":    func(x ctx) error { return errorOf(c.SetSafetyStock(x, sku, client.SetSafetyStock{})) },
		"setBackorderLimit": func(x ctx) error { return errorOf(c.SetBackorderLimit(x, sku, 0)) },
		"getAvailability":   func(x ctx) error { return errorOf(c.Availability(x, sku)) },
		"getAvailabilities": func(x ctx) error { return errorOf(c.Availabilities(x, nil)) },
		"getStock":          func(x ctx) error { return errorOf(c.Stock(x, sku)) },
		"listAvailability":  func(x ctx) error { return errorOf(c.Items(x, client.ItemFilter{})) },
		"getStockChanges":   func(x ctx) error { return errorOf(c.StockChanges(x, client.ChangesFilter{})) },
		"getLedger":         func(x ctx) error { return errorOf(c.Ledger(x, sku, client.LedgerFilter{})) },
		"getAllocations":    func(x ctx) error { return errorOf(c.OrderAllocations(x, order)) },
		"getOrder":          func(x ctx) error { return errorOf(c.Order(x, order)) },
		"listOrders":        func(x ctx) error { return errorOf(c.Orders(x, client.OrderFilter{})) },
		"streamOrder":       func(x ctx) error { return firstOf(once.StreamOrder(x, order, "")) },
		"streamOrders":      func(x ctx) error { return firstOf(once.StreamOrders(x, client.OrderStream{})) },
		"streamAvailability": func(x ctx) error {
			return firstOf(once.StreamAvailability(x, client.StockStream{}))
		},
		"listEvents":        func(x ctx) error { return errorOf(c.Events(x, client.EventFilter{})) },
		"getRevenue":        func(x ctx) error { return errorOf(c.Revenue(x, client.ReportFilter{})) },
		"getStockMovements": func(x ctx) error { return errorOf(c.StockMovements(x, client.ReportFilter{})) },
		"listInsights":      func(x ctx) error { return errorOf(c.Insights(x)) },
		"askInsight":        func(x ctx) error { return errorOf(c.Ask(x, "name", client.Question{})) },
		"previewInsight":    func(x ctx) error { return errorOf(c.PreviewInsight(x, "", 0)) },
		"createReplay":      func(x ctx) error { return errorOf(c.CreateReplay(x, client.CreateReplay{})) },
		"listReplays":       func(x ctx) error { return errorOf(c.Replays(x, client.ReplayFilter{})) },
		"getReplay":         func(x ctx) error { return errorOf(c.Replay(x, replay)) },
		"getReplayLog":      func(x ctx) error { return errorOf(c.ReplayLog(x, replay)) },
		"followReplay": func(x ctx) error {
			err := once.FollowReplay(x, replay, func(*client.Replay) {})
			if err == nil {
				return errors.New("a stream without an end is taken for one")
			}
			return nil
		},
		"pauseReplay":    decide(client.PauseReplay),
		"resumeReplay":   decide(client.ResumeReplay),
		"cancelReplay":   decide(client.CancelReplay),
		"verifyReplay":   decide(client.VerifyReplay),
		"promoteReplay":  decide(client.PromoteReplay),
		"rollBackReplay": decide(client.RollBackReplay),
		"discardReplay":  decide(client.DiscardReplay),
		"planInsights": func(x ctx) error {
			return errorOf(c.PlanInsights(x, client.PlanRequest{Definitions: []client.PlanFile{}}))
		},
		"dropInsight": func(x ctx) error { return c.DropInsight(x, "name", client.Decide{}) },
		"runCommands": func(x ctx) error {
			results, err := c.Bulk(x, strings.NewReader(""))
			if err == nil {
				err = results.Close()
			}
			return err
		},
	}
}

func errorOf[T any](_ T, err error) error { return err }

// firstOf is the error of the first message of a stream.
func firstOf[T any](messages iter.Seq2[*client.Message[T], error]) error {
	for m, err := range messages {
		if err == nil && m.ID == "" {
			return errors.New("a message without an id")
		}
		return err
	}
	return errors.New("no message has come")
}
