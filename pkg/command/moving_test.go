package command

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
)

// What happened to an order elsewhere is told with its own time, by every command that such an order needs.
func TestWhatHappenedElsewhereHasItsOwnTime(t *testing.T) {
	at := time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC)
	for typ, body := range map[string]string{
		PlaceOrder:       `"customer_id":"c","currency":"GBP","lines":[{"sku":"A","quantity":1,"unit_price":"1.00"}]`,
		StartPayment:     `"reference":"r"`,
		AuthorizePayment: `"amount":"1.00"`,
		CapturePayment:   `"amount":"1.00"`,
		VoidPayment:      `"amount":"1.00"`,
		RefundPayment:    `"amount":"1.00"`,
		FailPayment:      `"reason":"r"`,
		CreateFulfilment: `"action":"create"`,
		ShipOrder:        `"action":"ship"`,
		ShipFulfilment:   `"fulfilment_key":"k"`,
		DeliverOrder:     `"fulfilment_key":"k"`,
		FailDelivery:     `"fulfilment_key":"k","condition":"lost"`,
		RequestReturn:    `"reason":"r"`,
		ReceiveReturn:    `"return_key":"k","lines":[{"sku":"A","quantity":1,"condition":"damaged"}]`,
		CancelOrder:      `"reason":"r"`,
		CancelLines:      `"lines":[{"sku":"A","quantity":1}]`,
	} {
		dated := fmt.Sprintf(`{%s,"occurred_at":%q}`, body, at.Format(time.RFC3339))
		_, _, micros, err := Decode(typ, testOrderID, "k", []byte(dated), receivedAt, Options{})
		if err != nil || micros != at.UnixMicro() {
			t.Errorf("%s happened at %d: %v", typ, micros, err)
		}
		future := fmt.Sprintf(`{%s,"occurred_at":"2199-01-01T00:00:00Z"}`, body)
		if _, _, _, err = Decode(typ, testOrderID, "k", []byte(future), receivedAt, Options{}); err == nil ||
			problem.Of(err).Code != "invalid_occurred_at" {
			t.Errorf("%s in the future: %v", typ, err)
		}
	}
}

// A file names an order, a fulfilment and a return by the ids of the lines that make them.
func TestKeysNameWhatTheyMade(t *testing.T) {
	id := orderid.ByKey(orderid.DefaultTenant, "shop-1")
	for line, want := range map[string]order.Command{
		`{"id":"k","type":"deliver_order","order_key":"shop-1","body":{"fulfilment_key":"ship-1"}}`: order.Deliver{
			FulfilmentID: FulfilmentID(id, "ship-1"),
		},
		`{"id":"k","type":"cancel_return","order_key":"shop-1","body":{"return_key":"back-1"}}`: order.CancelReturn{
			ReturnID: ReturnID(id, "back-1"),
		},
	} {
		_, cmd, err := ParseLine([]byte(line), 1, Options{})
		if err != nil || cmd.ID != id || fmt.Sprint(cmd.Order) != fmt.Sprint(want) {
			t.Errorf("%s: %v %+v, want %s %+v", line, err, cmd, id, want)
		}
	}
}

func TestKeysThatNameNothing(t *testing.T) {
	for _, c := range []struct{ line, code, pointer string }{
		{`{"id":"k","type":"receive_stock","sku":"A","order_key":"s"}`, problem.InvalidLine, "/order_key"},
		{`{"id":"k","type":"place_order","order_key":"s","body":` + threeLines + `}`, problem.InvalidLine, "/order_key"},
		{`{"id":"k","type":"cancel_order","order_key":"s","order_id":"7"}`, problem.InvalidLine, "/order_key"},
		{`{"id":"k","type":"cancel_order","order_key":""}`, problem.InvalidLine, "/order_key"},
		{`{"id":"k","type":"cancel_order","order_key":"é"}`, problem.InvalidLine, "/order_key"},
		{`{"id":"k","type":"cancel_order","order_key":"s","sku":"A"}`, problem.InvalidLine, "/sku"},
		{`{"id":"k","type":"deliver_order","order_key":"s","body":{"fulfilment_key":""}}`, "invalid_fulfilment_id",
			"/body/fulfilment_key"},
		{`{"id":"k","type":"deliver_order","order_key":"s","body":{"fulfilment_key":"f","fulfilment_id":"f"}}`,
			"invalid_fulfilment_id", "/body/fulfilment_key"},
		{`{"id":"k","type":"cancel_return","order_key":"s","body":{"return_key":"é"}}`, "invalid_return_id",
			"/body/return_key"},
	} {
		_, _, err := ParseLine([]byte(c.line), 1, Options{})
		if err == nil {
			t.Errorf("%s is taken", c.line)
			continue
		}
		if p := problem.Of(err); p.Code != c.code || len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer {
			t.Errorf("%s: %s %v, want %s at %s", c.line, p.Code, p.Errors, c.code, c.pointer)
		}
	}
}
