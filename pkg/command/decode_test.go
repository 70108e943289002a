package command

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
)

const testOrderID = "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"

// receivedAt is when commands of tests were received: in March 2011.
const receivedAt = 1_300_000_000_000_000

const threeLines = `{"customer_id":"c-1","currency":"GBP","lines":[` +
	`{"sku":"A1","quantity":2,"unit_price":"2.55"},{"sku":"A2","quantity":1,"unit_price":"12.5"},` +
	`{"sku":"A3","quantity":40,"unit_price":"0.105"}]}`

func TestDecodeBuildsTheDomainsCommand(t *testing.T) {
	total := int64(5_100_000)
	at := time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC).UnixMicro()
	for _, test := range []struct {
		typ, body string
		want      any
		occurred  int64
	}{
		{PlaceOrder, `{"customer_id":"c-1","currency":"GBP","lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}],` +
			`"total":"5.10","country":"EIRE"}`, order.Place{
			OrderID: testOrderID, CustomerID: "c-1", Currency: "GBP", Country: "EIRE", Terms: order.Prepaid,
			Sums:     order.Sums{TotalMicros: &total},
			Lines:    []order.PlaceLine{{SKU: "A1", Quantity: 2, UnitPriceMicros: 2_550_000}},
			AtMicros: receivedAt, PaymentDeadlineMicros: receivedAt + time.Hour.Microseconds(),
		}, 0},
		{PlaceOrder, `{"customer_id":"c-1","currency":"GBP","payment_terms":"on_account","lines":[{"sku":"A1","quantity":` +
			`2,"unit_price":"0"}]}`, order.Place{
			OrderID: testOrderID, CustomerID: "c-1", Currency: "GBP", Terms: order.OnAccount,
			Lines: []order.PlaceLine{{SKU: "A1", Quantity: 2}}, AtMicros: receivedAt,
		}, 0},
		{PlaceOrder, `{"customer_id":"c-1","currency":"GBP","lines":[{"sku":"A1","quantity":2,"unit_price":"0"}],` +
			`"payment_terms":"on_account",` +
			`"allocation":{"policy":"fewest_locations","locations":["north","main"]}}`, order.Place{
			OrderID: testOrderID, CustomerID: "c-1", Currency: "GBP", Terms: order.OnAccount,
			Lines: []order.PlaceLine{{SKU: "A1", Quantity: 2}}, AtMicros: receivedAt,
			Allocation: &order.AllocationRule{Policy: order.FewestLocations, Locations: []string{"north", "main"}},
		}, 0},
		{ImportCreditNote, `{"reference":"C1","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z","lines":[{"sku":"A1",` +
			`"quantity":2,"unit_price":"1"}]}`, order.ImportDocument{
			OrderID: testOrderID, Kind: order.KindCreditNote, Currency: "GBP", Reference: "C1", AtMicros: at,
			Lines: []order.PlaceLine{{SKU: "A1", Quantity: 2, UnitPriceMicros: 1_000_000}},
		}, at},
		{CancelOrder, `{"reason":"x"}`, order.Cancel{Reason: "x"}, 0},
		{AuthorizePayment, `{"amount":"7.65","reference":"pi"}`, order.AuthorizePayment{
			AmountMicros: 7_650_000, Reference: "pi", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{StartPayment, `{"action":"start","reference":"pi"}`,
			order.StartPayment{Reference: "pi", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{VoidPayment, `{"reason":"x"}`,
			order.VoidPayment{Reason: "x", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{RefundPayment, `{"amount":"0.50","reference":"re","purpose":"goodwill"}`, order.RefundPayment{
			AmountMicros: 500_000, Reference: "re", Goodwill: true,
			DeadlineMicros: receivedAt + time.Hour.Microseconds(),
		}, 0},
		{FailPayment, `{"reference":"pi","reason":"declined"}`, order.FailPayment{Reference: "pi", Reason: "declined"}, 0},
		{FailPayment, `{"provider_event_id":"evt_1","provider":"stripe"}`,
			order.FailPayment{ProviderEventID: "evt_1", Provider: "stripe"}, 0},
		{StartPayment, `{"provider":"stripe"}`,
			order.StartPayment{Provider: "stripe", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{AuthorizePayment, `{"amount":"1","provider_event_id":"evt_1","provider":"stripe"}`, order.AuthorizePayment{
			AmountMicros: 1_000_000, ProviderEventID: "evt_1", Provider: "stripe",
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{CapturePayment, `{"amount":"1","provider_event_id":"evt_1","provider":"stripe"}`, order.CapturePayment{
			AmountMicros: 1_000_000, ProviderEventID: "evt_1", Provider: "stripe",
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{VoidPayment, `{"provider_event_id":"evt_1","provider":"stripe"}`, order.VoidPayment{
			ProviderEventID: "evt_1", Provider: "stripe", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{RefundPayment, `{"provider_event_id":"evt_1","provider":"stripe"}`, order.RefundPayment{
			ProviderEventID: "evt_1", Provider: "stripe",
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{CapturePayment, `{"action":"capture","amount":"1"}`, order.CapturePayment{
			AmountMicros: 1_000_000, DeadlineMicros: receivedAt + time.Hour.Microseconds(),
		}, 0},
		{ConfirmOrder, ``, order.Confirm{}, 0},
		{ShipOrder, `{}`, order.Ship{FulfilmentID: FulfilmentID(testOrderID, "k"),
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{ShipOrder, `{"capture":true}`, order.Ship{FulfilmentID: FulfilmentID(testOrderID, "k"), Capture: true,
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{DeliverOrder, `{"fulfilment_id":"f"}`, order.Deliver{FulfilmentID: "f"}, 0},
		{DeliverOrder, `{"fulfilment_id":"f","lines":[{"sku":"A1","quantity":2}]}`, order.Deliver{
			FulfilmentID: "f", Lines: []order.LineQuantity{{SKU: "A1", Quantity: 2}}}, 0},
		{FailDelivery, `{"fulfilment_id":"f","condition":"lost","reason":"gone","cancel":true,` +
			`"charges":[{"charge":1,"amount":"0.5"}]}`, order.FailDelivery{
			FulfilmentID: "f", Condition: order.Lost, Reason: "gone", Cancel: true,
			Charges:        []order.ChargeCredit{{Charge: 1, AmountMicros: 500_000}},
			DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{FailDelivery, `{"fulfilment_id":"f","location":"north","lines":[` +
			`{"sku":"A1","line":2,"quantity":2,"condition":"damaged"},{"sku":"A1","quantity":1,"condition":"lost"}]}`,
			order.FailDelivery{FulfilmentID: "f", Location: "north", Lines: []order.UndeliveredLine{
				{SKU: "A1", Quantity: 2, Condition: order.Damaged, Line: 2}, {SKU: "A1", Quantity: 1, Condition: order.Lost},
			}, DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{ReverseShipment, `{"fulfilment_id":"f","reason":"wrong box"}`, order.ReverseShipment{
			FulfilmentID: "f", Reason: "wrong box", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{ReverseDelivery, `{"fulfilment_id":"f"}`, order.ReverseDelivery{FulfilmentID: "f"}, 0},
		{ReverseDelivery, `{"fulfilment_id":"f","reason":"wrong door","lines":[{"sku":"A1","quantity":2}]}`,
			order.ReverseDelivery{
				FulfilmentID: "f", Reason: "wrong door", Lines: []order.LineQuantity{{SKU: "A1", Quantity: 2}}}, 0},
		{CreateFulfilment, `{"action":"create"}`, order.CreateFulfilment{FulfilmentID: FulfilmentID(testOrderID, "k")}, 0},
		{CreateFulfilment, `{"capture":false}`, order.CreateFulfilment{FulfilmentID: FulfilmentID(testOrderID, "k")}, 0},
		{CreateFulfilment, `{"lines":[{"sku":"A1","quantity":2}]}`, order.CreateFulfilment{
			FulfilmentID: FulfilmentID(testOrderID, "k"), Lines: []order.LineQuantity{{SKU: "A1", Quantity: 2}}}, 0},
		{ShipFulfilment, `{"fulfilment_id":"f","tracking_reference":"1Z","capture":true}`,
			order.ShipFulfilment{FulfilmentID: "f", TrackingReference: "1Z", Capture: true,
				DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{ShipFulfilment, `{"fulfilment_id":"f","capture":true,"payment_reference":"c","provider_event_id":"evt_1",` +
			`"provider":"stripe"}`,
			order.ShipFulfilment{FulfilmentID: "f", Capture: true, PaymentReference: "c", ProviderEventID: "evt_1",
				Provider: "stripe", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{ShipOrder, `{"capture":true,"payment_reference":"c","provider_event_id":"evt_1","provider":"stripe"}`,
			order.Ship{FulfilmentID: FulfilmentID(testOrderID, "k"), Capture: true, PaymentReference: "c",
				ProviderEventID: "evt_1", Provider: "stripe",
				DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{CancelFulfilment, `{"fulfilment_id":"f","reason":"x"}`, order.CancelFulfilment{FulfilmentID: "f", Reason: "x"}, 0},
		{CancelLines, `{"lines":[{"sku":"A1","quantity":2}],"reason":"x"}`,
			order.CancelLines{Lines: []order.LineQuantity{{SKU: "A1", Quantity: 2}}, Reason: "x"}, 0},
		{AmendOrder, `{"lines":[{"sku":"A1","quantity":0},{"sku":"B","line":2,"quantity":3,"unit_price":"0"}],"reason":"x"}`,
			order.Amend{
				Lines: []order.AmendLine{{SKU: "A1"}, {SKU: "B", Line: 2, Quantity: 3,
					UnitPriceMicros: new(int64)}}, Reason: "x", DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{HoldOrder, `{"reason":"x"}`, order.Hold{Reason: "x"}, 0},
		{ResumeOrder, ``, order.Resume{DeadlineMicros: receivedAt + time.Hour.Microseconds()}, 0},
		{RequestReturn, `{"reason":"x"}`, order.RequestReturn{ReturnID: ReturnID(testOrderID, "k"), Reason: "x"}, 0},
		{RequestReturn, `{"lines":[{"sku":"A1","quantity":2}]}`, order.RequestReturn{
			ReturnID: ReturnID(testOrderID, "k"), Lines: []order.LineQuantity{{SKU: "A1", Quantity: 2}},
		}, 0},
		{ReceiveReturn, `{"return_id":"r","lines":[{"sku":"A1","quantity":2,"condition":"damaged"}],"location":"north"}`,
			order.ReceiveReturn{
				ReturnID: "r", Lines: []order.ReturnedLine{{SKU: "A1", Quantity: 2,
					Condition: order.Damaged}}, Location: "north"}, 0},
		{ReceiveReturn, `{"return_id":"r","lines":[{"sku":"A1","quantity":2,"condition":"damaged"}]}`, order.ReceiveReturn{
			ReturnID: "r", Lines: []order.ReturnedLine{{SKU: "A1", Quantity: 2, Condition: order.Damaged}},
		}, 0},
		{CancelReturn, `{"return_id":"r"}`, order.CancelReturn{ReturnID: "r"}, 0},
		{RegisterItem, `{"description":"d"}`, inventory.RegisterItem{Description: "d"}, 0},
		{RegisterItem, `{"metadata":{"b":"2","a":"1"}}`,
			inventory.RegisterItem{Metadata: &metadata.Map{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}}, 0},
		{RegisterItem, `{"metadata":{}}`, inventory.RegisterItem{Metadata: new(metadata.Map)}, 0},
		{ReceiveStock, `{"quantity":5,"unit_cost":"1.25","cost_currency":"GBP"}`, inventory.ReceiveStock{
			Location: "main", Quantity: 5, Cost: inventory.UnitCost{Micros: 1_250_000, Currency: "GBP"}}, 0},
		{ReceiveStock, `{"quantity":5,"occurred_at":"2010-12-01T08:26:00Z"}`,
			inventory.ReceiveStock{Location: "main", Quantity: 5}, at},
		{ReceiveStock, `{"quantity":5.0,"occurred_at":"2010-12-01t08:26:00z"}`,
			inventory.ReceiveStock{Location: "main", Quantity: 5}, at},
		{ReceiveStock, `{"quantity":0.5e1,"reference":"` + strings.Repeat("ä", limits.MaxReferenceLength) + `"}`,
			inventory.ReceiveStock{
				Location: "main", Quantity: 5, Reference: strings.Repeat("ä", limits.MaxReferenceLength)}, 0},
		{ExpectStock, `{"quantity":0,"reference":"PO-1"}`, inventory.ExpectStock{Location: "main", Reference: "PO-1"}, 0},
		{ShipTransfer, `{"to_location":"north","quantity":2,"reference":"van 2"}`, inventory.ShipTransfer{
			TransferID: TransferID(testOrderID, "k"), FromLocation: "main", ToLocation: "north", Quantity: 2, Reference: "van 2",
		}, 0},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":1,"missing":1}`,
			inventory.ReceiveTransfer{TransferID: "t", Quantity: 1, Missing: 1}, 0},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":0,"damaged":2}`,
			inventory.ReceiveTransfer{TransferID: "t", Damaged: 2}, 0},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":0,"rejected":2,"reason":"torn"}`,
			inventory.ReceiveTransfer{TransferID: "t", Rejected: 2, Reason: "torn"}, 0},
		{CancelTransfer, `{"transfer_id":"t","reason":"no van"}`,
			inventory.CancelTransfer{TransferID: "t", Reason: "no van"}, 0},
		{MoveStock, `{"from":"available","to":"damaged","quantity":2}`, inventory.MoveStock{
			Location: "main", From: inventory.StateAvailable, To: inventory.StateDamaged, Quantity: 2,
		}, 0},
		{AdjustStock, `{"location":"x","delta":-3,"reason":"other"}`,
			inventory.AdjustStock{Location: "x", Delta: -3, Reason: inventory.ReasonOther}, 0},
		{CountStock, `{"counted":0}`, inventory.CountStock{Location: "main"}, 0},
		{CountStock, `{"counted":1,"counted_at_version":7}`,
			inventory.CountStock{Location: "main", Counted: 1, CountedAtVersion: 7}, 0},
		{SetSafetyStock, `{"quantity":0}`, inventory.SetSafetyStock{Location: "main"}, 0},
		{SetBackorderLimit, `{"limit":7}`, inventory.SetBackorderLimit{Limit: 7}, 0},
	} {
		o, s, occurred, err := Decode(test.typ, testOrderID, "k", []byte(test.body), receivedAt,
			Options{PaymentWindow: time.Hour})
		var got any = s
		if o != nil {
			got = o
		}
		if err != nil || !reflect.DeepEqual(got, test.want) || occurred != test.occurred {
			t.Errorf("%s %s:\n got %+v, %d, %v\nwant %+v, %d", test.typ, test.body, got, occurred, err, test.want, test.occurred)
		}
	}
}

func TestFailedDeliveriesSayTheirCondition(t *testing.T) {
	for body, want := range map[string]string{
		`{"fulfilment_id":"f"}`:                      "missing_field /condition",
		`{"fulfilment_id":"f","condition":"stolen"}`: "invalid_condition /condition",
		`{"fulfilment_id":"f","lines":[]}`:           "missing_field /lines",
		`{"fulfilment_id":"f","condition":"lost","lines":[{"sku":"A","quantity":1,"condition":"lost"}]}`: "" +
			"invalid_condition /condition",
		`{"fulfilment_id":"f","lines":[{"sku":"A","quantity":1}]}`:                    "missing_field /lines/0/condition",
		`{"fulfilment_id":"f","lines":[{"sku":"A","quantity":0,"condition":"lost"}]}`: "invalid_quantity /lines/0/quantity",
		`{"fulfilment_id":"f","condition":"lost","location":" n"}`:                    "invalid_location /location",
		`{"fulfilment_id":"f","condition":"lost","charges":[{"charge":0,"amount":"1"}]}`: "" +
			"invalid_charge /charges/0/charge",
		`{"condition":"lost"}`: "missing_field /fulfilment_id",
	} {
		_, _, _, err := Decode(FailDelivery, testOrderID, "k", []byte(body), 0, Options{})
		if p := problem.Of(err); p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	different := map[[16]byte]string{}
	for _, body := range []string{
		`{"fulfilment_id":"f","condition":"lost"}`, `{"fulfilment_id":"f","condition":"damaged"}`,
		`{"fulfilment_id":"f","condition":"damaged","location":"north"}`,
		`{"fulfilment_id":"f","condition":"lost","cancel":true}`,
		`{"fulfilment_id":"f","condition":"lost","reason":"x"}`, `{"fulfilment_id":"g","condition":"lost"}`,
		`{"fulfilment_id":"f","lines":[{"sku":"A","quantity":1,"condition":"lost"}]}`,
		`{"fulfilment_id":"f","lines":[{"sku":"A","quantity":1,"condition":"damaged"}]}`,
		`{"fulfilment_id":"f","lines":[{"sku":"A","line":2,"quantity":1,"condition":"lost"}]}`,
		`{"fulfilment_id":"f","condition":"lost","cancel":true,"charges":[{"charge":1,"amount":"1"}]}`,
	} {
		cmd, _, occurred, err := Decode(FailDelivery, testOrderID, "k", []byte(body), 0, Options{})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		print := Fingerprint(FailDelivery, testOrderID, cmd, nil, occurred)
		if other, again := different[print]; again {
			t.Errorf("%s has the fingerprint of %s", body, other)
		}
		different[print] = body
	}
}

func TestReturnedLinesSayTheirCondition(t *testing.T) {
	for body, want := range map[string]string{
		`{"return_id":"r","lines":[{"sku":"A","quantity":1}]}`:                    "missing_field /lines/0/condition",
		`{"return_id":"r","lines":[{"sku":"A","quantity":1,"condition":"lost"}]}`: "invalid_condition /lines/0/condition",
		`{"return_id":"r"}`: "missing_field /lines",
		`{"lines":[{"sku":"A","quantity":1,"condition":"resellable"}]}`: "missing_field /return_id",
		`[]`: "wrong_type ",
	} {
		_, _, _, err := Decode(ReceiveReturn, testOrderID, "k", []byte(body), 0, Options{})
		if p := problem.Of(err); p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	for typ, body := range map[string]string{RequestReturn: `{"lines":[]}`, CancelReturn: `{"return_id":7}`} {
		if _, _, _, err := Decode(typ, testOrderID, "k", []byte(body), 0, Options{}); err == nil {
			t.Errorf("%s takes %s", typ, body)
		}
	}
}

func TestTransfersNameTheirFaults(t *testing.T) {
	for _, test := range []struct{ typ, body, want string }{
		{ShipTransfer, `{"quantity":1}`, "missing_field /to_location"},
		{ShipTransfer, `{"to_location":"main","quantity":1}`, "same_location /to_location"},
		{ShipTransfer, `{"to_location":" n","quantity":1}`, "invalid_location /to_location"},
		{CountStock, `{"counted":1,"counted_at_version":0}`, "invalid_counted_at_version /counted_at_version"},
		{DeliverOrder, `{"fulfilment_id":"f","lines":[]}`, "missing_field /lines"},
		{PlaceOrder, allocated(`{}`), "missing_field /allocation/policy"},
		{PlaceOrder, allocated(`{"policy":"nearest"}`), "invalid_allocation /allocation/policy"},
		{PlaceOrder, allocated(`{"policy":"split","locations":["n","n"]}`), "invalid_allocation /allocation/locations/1"},
		{PlaceOrder, allocated(`{"policy":"split","locations":[" n"]}`), "invalid_allocation /allocation/locations/0"},
		{PlaceOrder, allocated(`{"policy":"split","locations":["n","a\u009b"]}`),
			"invalid_allocation /allocation/locations/1"},
		{ShipTransfer, `{"from_location":"` + strings.Repeat("x", limits.MaxLocationLength+1) +
			`","to_location":"n","quantity":1}`, "invalid_location /from_location"},
		{ShipTransfer, `{"to_location":"a\nb","quantity":1}`, "invalid_location /to_location"},
		{ShipTransfer, `{"to_location":"n","quantity":0}`, "invalid_quantity /quantity"},
		{ShipTransfer, `{"to":"n"}`, "unknown_field /to"},
		{CancelTransfer, `{}`, "missing_field /transfer_id"},
		{ReceiveTransfer, `{"quantity":1}`, "missing_field /transfer_id"},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":1,"rejected":1}`, "missing_field /reason"},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":1,"rejected":-1}`, "invalid_quantity /rejected"},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":1,"reason":"torn"}`, "invalid_reason /reason"},
		{ReceiveTransfer, `{"transfer_id":"t"}`, "missing_field /quantity"},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":0}`, "invalid_quantity /quantity"},
		{ReceiveTransfer, `{"transfer_id":"t","quantity":1,"missing":-1}`, "invalid_quantity /missing"},
		{ReceiveTransfer, `[]`, "wrong_type "},
	} {
		_, _, _, err := Decode(test.typ, "A1", "k", []byte(test.body), 0, Options{})
		if p := problem.Of(err); len(p.Errors) == 0 || p.Code+" "+p.Errors[0].Pointer != test.want {
			t.Errorf("%s %s: %v, want %s", test.typ, test.body, err, test.want)
		}
	}
}

func TestDecodeNamesEveryFault(t *testing.T) {
	_, _, _, err := Decode(PlaceOrder, testOrderID, "k", []byte(
		`{"currency":"XXX","lines":[{"sku":"","quantity":0,"unit_price":"NaN"}],"payment_terms":"later"}`), 0, Options{})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Code != problem.MissingField {
		t.Fatalf("got %v", err)
	}
	var pointers []string
	for _, e := range p.Errors {
		pointers = append(pointers, e.Pointer)
	}
	want := "/customer_id /currency /lines/0/sku /lines/0/quantity /lines/0/unit_price /payment_terms"
	if got := strings.Join(pointers, " "); got != want {
		t.Errorf("pointers %s, want %s", got, want)
	}
}

func TestPaymentsNameTheirFaults(t *testing.T) {
	for _, test := range []struct{ typ, body, code, pointer string }{
		{StartPayment, `{"amount":"1"}`, problem.UnknownField, "/amount"},
		{FailPayment, `{"amount":"1"}`, problem.UnknownField, "/amount"},
		{StartPayment, `{"action":"stop"}`, problem.InvalidAction, "/action"},
		{StartPayment, `{"provider":"` + strings.Repeat("s", limits.MaxProviderLength+1) + `"}`,
			"invalid_provider", "/provider"},
		{RefundPayment, `{"provider":"a\u0000"}`, "invalid_provider", "/provider"},
		{StartPayment, `{"provider_event_id":"evt_1"}`, problem.UnknownField, "/provider_event_id"},
		{VoidPayment, `{"provider_event_id":""}`, "invalid_provider_event_id", "/provider_event_id"},
		{FailPayment, `{"provider_event_id":"` + strings.Repeat("e", limits.MaxProviderEventIDLength+1) + `"}`,
			"invalid_provider_event_id", "/provider_event_id"},
		{RefundPayment, `{"provider_event_id":"a\u0000"}`, "invalid_provider_event_id", "/provider_event_id"},
		{VoidPayment, `{"amount":"0"}`, order.CodeInvalidAmount, "/amount"},
		{VoidPayment, `{"action":"refund"}`, problem.InvalidAction, "/action"},
		{RefundPayment, `{"amount":"-1"}`, order.CodeInvalidAmount, "/amount"},
		{RefundPayment, `[]`, problem.WrongType, ""},
		{FailPayment, `{"action":"void"}`, problem.InvalidAction, "/action"},
		{AuthorizePayment, `{}`, problem.MissingField, "/amount"},
		{CapturePayment, `{"amount":"0"}`, order.CodeInvalidAmount, "/amount"},
		{CapturePayment, `{"amount":"1","reason":"x"}`, problem.UnknownField, "/reason"},
	} {
		_, _, _, err := Decode(test.typ, testOrderID, "k", []byte(test.body), 0, Options{})
		p := problem.Of(err)
		if p.Code != test.code || len(p.Errors) == 0 || p.Errors[0].Pointer != test.pointer {
			t.Errorf("%s %s: got %s %v, want %s %s", test.typ, test.body, p.Code, p.Errors, test.code, test.pointer)
		}
	}
	route := routeOf(t, paymentsPath)
	for _, payment := range route.Commands {
		c, err := route.Choose([]byte(`{"action":"` + payment.Action + `"}`))
		if err != nil || c != payment {
			t.Errorf("%s is %+v, %v", payment.Action, c, err)
		}
	}
	for body, want := range map[string]string{
		`{}`: "missing_field /action", `{"action":"steal"}`: "invalid_action /action",
		`{"action":""}`: "invalid_action /action", `{"action":null}`: "wrong_type /action",
		`{"acton":"void"}`: "unknown_field /acton",
	} {
		_, err := route.Choose([]byte(body))
		if p := problem.Of(err); p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// routeOf is the route of a path that several commands share.
func routeOf(t *testing.T, path string) *Route {
	t.Helper()
	for _, r := range Routes() {
		if r.Path == path {
			return &r
		}
	}
	t.Fatalf("no command has the path %s", path)
	return nil
}

func TestAmendmentsNameTheirFaults(t *testing.T) {
	for _, test := range []struct{ body, code, pointer string }{
		{`{}`, problem.MissingField, "/lines"},
		{`{"lines":[{"sku":"A"}]}`, problem.MissingField, "/lines/0/quantity"},
		{`{"lines":[{"sku":"A","quantity":-1}]}`, problem.InvalidQuantity, "/lines/0/quantity"},
		{`{"lines":[{"quantity":1}]}`, problem.MissingField, "/lines/0/sku"},
		{`{"lines":[{"sku":"A","quantity":1,"line":0}]}`, order.CodeInvalidLines, "/lines/0/line"},
		{`{"lines":[{"sku":"A","quantity":1,"line":99999999999}]}`, order.CodeInvalidLines, "/lines/0/line"},
		{`{"lines":[{"sku":"A","quantity":1,"unit_price":"-1"}]}`, order.CodeInvalidPrice, "/lines/0/unit_price"},
		{`{"lines":[{"sku":"A","quantity":1,"unit_price":""}]}`, problem.MissingField, "/lines/0/unit_price"},
		{`{"lines":[{"sku":"A","quantity":1,"delta":1}]}`, problem.UnknownField, "/lines/0/delta"},
	} {
		_, _, _, err := Decode(AmendOrder, testOrderID, "k", []byte(test.body), 0, Options{})
		p := problem.Of(err)
		if p.Code != test.code || len(p.Errors) != 1 || p.Errors[0].Pointer != test.pointer {
			t.Errorf("%s: %s %+v, want %s at %s", test.body, p.Code, p.Errors, test.code, test.pointer)
		}
	}
	prints := map[[16]byte]string{}
	for _, body := range []string{`[{"sku":"A","quantity":1}]`, `[{"sku":"A","quantity":1,"line":1}]`,
		`[{"sku":"A","quantity":1,"unit_price":"0"}]`, `[{"sku":"A","quantity":0}]`} {
		o, _, _, err := Decode(AmendOrder, testOrderID, "k", []byte(`{"lines":`+body+`}`), 0, Options{})
		f := Fingerprint(AmendOrder, testOrderID, o, nil, 0)
		if other, seen := prints[f]; err != nil || seen {
			t.Errorf("%s: %v; fingerprint as %s", body, err, other)
		}
		prints[f] = body
	}
}

func TestCostsNameTheirFaults(t *testing.T) {
	for _, test := range []struct{ members, code, pointer string }{
		{`"unit_cost":"1.25"`, problem.MissingField, "/cost_currency"},
		{`"unit_cost":"1.25","cost_currency":""`, problem.MissingField, "/cost_currency"},
		{`"cost_currency":"GBP"`, problem.MissingField, "/unit_cost"},
		{`"unit_cost":"","cost_currency":"GBP"`, problem.MissingField, "/unit_cost"},
		{`"unit_cost":"1.25","cost_currency":"XXX"`, inventory.CodeUnknownCurrency, "/cost_currency"},
		{`"unit_cost":"-1","cost_currency":"GBP"`, inventory.CodeInvalidCost, "/unit_cost"},
		{`"unit_cost":"1e3","cost_currency":"GBP"`, inventory.CodeInvalidCost, "/unit_cost"},
		{`"unit_cost":"0.0000001","cost_currency":"GBP"`, inventory.CodeInvalidCost, "/unit_cost"},
		{`"unit_cost":"1000000000.01","cost_currency":"GBP"`, inventory.CodeInvalidCost, "/unit_cost"},
		{`"unit_cost":1.25,"cost_currency":"GBP"`, problem.WrongType, "/unit_cost"},
	} {
		_, _, _, err := Decode(ReceiveStock, "A1", "k", []byte(`{"quantity":1,`+test.members+`}`), 0, Options{})
		p := problem.Of(err)
		if p.Code != test.code || len(p.Errors) != 1 || p.Errors[0].Pointer != test.pointer {
			t.Errorf("%s: %s %+v, want %s at %s", test.members, p.Code, p.Errors, test.code, test.pointer)
		}
	}
}

func TestFulfilmentsNameTheirFaults(t *testing.T) {
	for _, test := range []struct{ typ, body, code, pointer string }{
		{CancelLines, `{}`, problem.MissingField, "/lines"},
		{CancelLines, `{"lines":[{"sku":"A1","quantity":0}]}`, problem.InvalidQuantity, "/lines/0/quantity"},
		{CreateFulfilment, `{"lines":[]}`, problem.MissingField, "/lines"},
		{CreateFulfilment, `{"action":"ship"}`, problem.InvalidAction, "/action"},
		{CreateFulfilment, `{"capture":true}`, problem.InvalidAction, "/capture"},
		{CreateFulfilment, `{"action":""}`, problem.InvalidAction, "/action"},
		{CreateFulfilment, `{"tracking_reference":"1Z"}`, problem.UnknownField, "/tracking_reference"},
		{ShipOrder, `{"provider":"stripe"}`, "invalid_provider", "/provider"},
		{ShipFulfilment, `{"fulfilment_id":"f","provider":"stripe"}`, "invalid_provider", "/provider"},
		{ShipOrder, `{"provider_event_id":"evt_1"}`, "invalid_provider_event_id", "/provider_event_id"},
		{ShipFulfilment, `{"fulfilment_id":"f","provider_event_id":"evt_1"}`,
			"invalid_provider_event_id", "/provider_event_id"},
		{ShipOrder, `{"payment_reference":"c"}`, "invalid_payment_reference", "/payment_reference"},
		{ShipFulfilment, `{"fulfilment_id":"f","payment_reference":"c"}`, "invalid_payment_reference", "/payment_reference"},
		{ShipOrder, `{"action":"create"}`, problem.InvalidAction, "/action"},
		{ShipFulfilment, `{}`, problem.MissingField, "/fulfilment_id"},
		{CancelFulfilment, `{"fulfilment_id":"f","reason":7}`, problem.WrongType, "/reason"},
		{HoldOrder, `{"why":"x"}`, problem.UnknownField, "/why"},
		{ResumeOrder, `{"reason":"x"}`, problem.UnknownField, "/reason"},
	} {
		_, _, _, err := Decode(test.typ, testOrderID, "k", []byte(test.body), 0, Options{})
		p := problem.Of(err)
		if p.Code != test.code || len(p.Errors) == 0 || p.Errors[0].Pointer != test.pointer {
			t.Errorf("%s %s: got %s %v, want %s %s", test.typ, test.body, p.Code, p.Errors, test.code, test.pointer)
		}
	}
	route := routeOf(t, fulfilmentsPath)
	for body, want := range map[string]string{
		``: ShipOrder, `{}`: ShipOrder, `{"action":"ship"}`: ShipOrder, `{"action":"create"}`: CreateFulfilment,
	} {
		if c, err := route.Choose([]byte(body)); err != nil || c.Type != want {
			t.Errorf("%s is %+v, %v", body, c, err)
		}
	}
	if _, err := route.Choose([]byte(`{"action":"eat"}`)); problem.Of(err).Code != problem.InvalidAction {
		t.Error(err)
	}
	for body, want := range map[string]string{
		``: `{"fulfilment_id":"f"}`, ` {} `: `{"fulfilment_id":"f"}`, `{"a":1}`: `{"fulfilment_id":"f","a":1}`, `[]`: `[]`,
		`7`: `7`, `{`: `{"fulfilment_id":"f"}`,
	} {
		if got := string(WithMember([]byte(body), "fulfilment_id", "f")); got != want {
			t.Errorf("%q becomes %s, want %s", body, got, want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	body := `{"customer_id":"c","currency":"GBP","lines":[` + strings.Repeat(`{},`, limits.MaxLines-1) + `{}]}`
	_, _, _, err := Decode(PlaceOrder, testOrderID, "k", []byte(body), 0, Options{})
	if p := problem.Of(err); len(p.Errors) != limits.MaxFieldErrors {
		t.Errorf("%d faults, want %d", len(p.Errors), limits.MaxFieldErrors)
	}
}

// What has happened may be 5 minutes ahead of the clock of the replica that takes the command.
func TestTheFutureHasNotHappened(t *testing.T) {
	for ahead, code := range map[time.Duration]string{
		-time.Hour: "", limits.MaxFuture: "", limits.MaxFuture + time.Microsecond: "invalid_occurred_at",
	} {
		at := time.UnixMicro(receivedAt).Add(ahead).UTC().Format(time.RFC3339Nano)
		_, _, _, err := Decode(ReceiveStock, "A1", "k", []byte(`{"quantity":1,"occurred_at":"`+at+`"}`), receivedAt,
			Options{})
		var p *problem.Problem
		errors.As(err, &p)
		if (code == "") != (err == nil) || err != nil && (p == nil || p.Code != code ||
			!strings.Contains(p.Detail, "2011-03-13T07:06:40Z")) {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}

func TestFingerprintIsOfTheMeaning(t *testing.T) {
	fingerprint := func(typ, body string) [16]byte {
		t.Helper()
		r := Request{Type: typ, ID: "A1", Key: new("k"), Body: []byte(body), ReceivedAtMicros: receivedAt}
		cmd, err := Parse(r, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return cmd.Fingerprint
	}
	base := fingerprint(ReceiveStock, `{"quantity":5}`)
	for _, same := range []string{`{ "quantity" : 5 }`, `{"location":"main","quantity":5}`,
		`{"quantity":5,"reference":""}`} {
		if fingerprint(ReceiveStock, same) != base {
			t.Errorf("%s differs from the same body", same)
		}
	}
	for _, other := range []string{`{"quantity":6}`, `{"quantity":5,"reference":"x"}`, `{"quantity":5,"location":"b"}`,
		`{"quantity":5,"occurred_at":"2011-01-01T00:00:00Z"}`, `{"quantity":5,"unit_cost":"0","cost_currency":"GBP"}`} {
		if fingerprint(ReceiveStock, other) == base {
			t.Errorf("%s is taken for another body", other)
		}
	}
	costs := map[[16]byte]string{}
	for _, body := range []string{`"0","cost_currency":"GBP"`, `"0","cost_currency":"EUR"`, `"1","cost_currency":"GBP"`} {
		f := fingerprint(ReceiveStock, `{"quantity":5,"unit_cost":`+body+`}`)
		if costs[f] != "" {
			t.Errorf("%s has the fingerprint of %s", body, costs[f])
		}
		costs[f] = body
	}
	if fingerprint(AdjustStock, `{"delta":5,"reason":"other"}`) == base {
		t.Error("another type has the same fingerprint")
	}
}

// The provider's ID of a fact, and the provider's name, are parts of the request, for each action that has them.
func TestProvidersAreFingerprinted(t *testing.T) {
	for typ, with := range map[string][3]order.Command{
		StartPayment: {
			order.StartPayment{Provider: "stripe"}, order.StartPayment{}, order.StartPayment{Reference: "stripe"}},
		AuthorizePayment: {
			order.AuthorizePayment{ProviderEventID: "evt_1"}, order.AuthorizePayment{},
			order.AuthorizePayment{Provider: "evt_1"}},
		CapturePayment: {
			order.CapturePayment{ProviderEventID: "evt_1"}, order.CapturePayment{},
			order.CapturePayment{Provider: "evt_1"}},
		VoidPayment: {
			order.VoidPayment{ProviderEventID: "evt_1"}, order.VoidPayment{},
			order.VoidPayment{Provider: "evt_1"}},
		RefundPayment: {
			order.RefundPayment{ProviderEventID: "evt_1"}, order.RefundPayment{},
			order.RefundPayment{Provider: "evt_1"}},
		FailPayment: {
			order.FailPayment{ProviderEventID: "evt_1"}, order.FailPayment{},
			order.FailPayment{Provider: "evt_1"}},
		ShipOrder: {
			order.Ship{ProviderEventID: "evt_1"}, order.Ship{},
			order.Ship{Provider: "evt_1"}},
		ShipFulfilment: {
			order.ShipFulfilment{ProviderEventID: "evt_1"}, order.ShipFulfilment{},
			order.ShipFulfilment{Provider: "evt_1"}},
	} {
		seen := map[[16]byte]bool{}
		for _, cmd := range with {
			seen[Fingerprint(typ, testOrderID, cmd, nil, 0)] = true
		}
		if len(seen) != len(with) {
			t.Errorf("%s has the same fingerprint with and without them", typ)
		}
	}
}

// Metadata is a part of the request, in whatever order it is written; without it, the fingerprint is as it was before
// there was metadata (TestFingerprintsStay).
func TestMetadataIsDecodedAndFingerprinted(t *testing.T) {
	decode := func(metadata string) (order.Place, [16]byte) {
		t.Helper()
		body := strings.TrimSuffix(threeLines, "}") + metadata + "}"
		cmd, err := Parse(Request{Type: PlaceOrder, Key: new("k"), Body: []byte(body), ReceivedAtMicros: 77}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return cmd.Order.(order.Place), cmd.Fingerprint
	}
	_, without := decode(``)
	if place, empty := decode(`,"metadata":{}`); empty != without || place.Metadata != nil {
		t.Error("no metadata and none at all differ")
	}
	place, with := decode(`,"metadata":{"erp.id":"4711","channel":"web"}`)
	if want := (metadata.Map{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}}); !slices.Equal(
		place.Metadata, want) {
		t.Errorf("%v", place.Metadata)
	}
	if _, same := decode(`,"metadata":{"channel":"web","erp.id":"4711"}`); same != with {
		t.Error("the order of the entries makes another request")
	}
	for _, other := range []string{
		`"channel":"web"`, `"channel":"web","erp.id":"4712"`, `"channel":"web","erp-id":"4711"`,
	} {
		if _, f := decode(`,"metadata":{` + other + `}`); f == with || f == without {
			t.Errorf("%s is taken for another body", other)
		}
	}
}

// Metadata of an item that is removed, that stays, and that is set are three requests.
func TestMetadataOfItemsIsFingerprinted(t *testing.T) {
	seen := map[[16]byte]string{}
	for _, body := range []string{
		`{"description":"d"}`, `{"description":"d","metadata":{}}`, `{"description":"d","metadata":{"a":"1"}}`,
		`{"description":"d","metadata":{"a":"2"}}`, `{"description":"d","metadata":{"b":"1"}}`,
	} {
		cmd, err := Parse(Request{Type: RegisterItem, ID: "A1", Key: new("k"), Body: []byte(body)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[cmd.Fingerprint]; taken {
			t.Errorf("%s is taken for %s", body, other)
		}
		seen[cmd.Fingerprint] = body
	}
}

func TestMetadataNamesItsFaults(t *testing.T) {
	var many []string
	for i := range limits.MaxMetadataEntries + 1 {
		many = append(many, fmt.Sprintf(`"k%d":"v"`, i))
	}
	for metadata, want := range map[string]string{
		`{"a b":"x"}`:                       "invalid_metadata /metadata",
		`{"":"x"}`:                          "invalid_metadata /metadata",
		`{"a":""}`:                          "invalid_metadata /metadata/a",
		`{"a":"x\ny"}`:                      "invalid_metadata /metadata/a",
		`{"a":7}`:                           "wrong_type /metadata/a",
		`{"a":null}`:                        "wrong_type /metadata/a",
		`{"a":{"b":"c"}}`:                   "wrong_type /metadata/a",
		`{"a":"x","a":"y"}`:                 "duplicate_field /metadata/a",
		`["a"]`:                             "wrong_type /metadata",
		`{` + strings.Join(many, ",") + `}`: "invalid_metadata /metadata",
	} {
		body := strings.TrimSuffix(threeLines, "}") + `,"metadata":` + metadata + "}"
		_, _, _, err := Decode(PlaceOrder, testOrderID, "k", []byte(body), 0, Options{})
		if p := problem.Of(err); len(p.Errors) == 0 || p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("%s: %v, want %s", metadata, err, want)
		}
		document := `{"reference":"536365","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z",` +
			`"lines":[{"sku":"A1","quantity":1,"unit_price":"1"}],"metadata":` + metadata + "}"
		_, _, _, err = Decode(ImportCreditNote, testOrderID, "k", []byte(document), time.Now().UnixMicro(), Options{})
		if p := problem.Of(err); len(p.Errors) == 0 || p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("of a document, %s: %v, want %s", metadata, err, want)
		}
		_, _, _, err = Decode(RegisterItem, "A1", "k", []byte(`{"metadata":`+metadata+`}`), 0, Options{})
		if p := problem.Of(err); len(p.Errors) == 0 || p.Code+" "+p.Errors[0].Pointer != want {
			t.Errorf("of an item, %s: %v, want %s", metadata, err, want)
		}
	}
}

// A fingerprint is stored in events: it must not change with the code.
func TestFingerprintsStay(t *testing.T) {
	for body, want := range map[string]string{
		threeLines:  "22ff938475c568eb4803f5b4e52ee78e",
		pricedOrder: "398003f97cc644a09a9aa0e48cb5dd9d",
	} {
		cmd, err := Parse(Request{Type: PlaceOrder, Key: new("k"), Body: []byte(body), ReceivedAtMicros: 77}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := hexOf(cmd.Fingerprint); got != want {
			t.Errorf("fingerprint %s, want %s", got, want)
		}
		if want := "e0d1a574-ced9-53ca-b991-a316e30b0905"; cmd.ID != want {
			t.Errorf("order ID %s, want %s", cmd.ID, want)
		}
	}
}

func hexOf(b [16]byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

func TestParseLine(t *testing.T) {
	for _, test := range []struct{ line, code, pointer string }{
		{`{"id":"k","type":"place_order","body":` + threeLines + `}`, "", ""},
		{`{"type":"register_item","sku":"A1","body":{}}`, "", ""},
		{`{"type":"register_item","sku":"A1"}`, "", ""},
		{`{"type":"register_item","sku":"A1","body":null}`, problem.WrongType, "/body"},
		{`{"id":"k","type":"confirm_order","order_id":"` + testOrderID + `","if_match":3}`, "", ""},
		{`{"id":"k"`, problem.MalformedJSON, ""},
		{`[]`, problem.WrongType, ""},
		{`{"id":"k","type":"nope"}`, problem.UnknownCommand, "/type"},
		{`{"id":"k","id":"l"}`, problem.DuplicateField, "/id"},
		{`{"id":"k","typ":"x"}`, problem.UnknownField, "/typ"},
		{`{"id":7}`, problem.WrongType, "/id"},
		{`{"id":"k","type":"place_order","order_id":"` + testOrderID + `","body":{}}`, problem.InvalidLine, "/order_id"},
		{`{"id":"k","type":"receive_stock","order_id":"x","sku":"A1"}`, problem.InvalidLine, "/order_id"},
		{`{"id":"k","type":"cancel_order","sku":"A1"}`, problem.InvalidLine, "/sku"},
		{`{"type":"receive_stock","sku":"A1","body":{"quantity":1}}`, problem.KeyRequired, "/id"},
		{`{"id":"é","type":"receive_stock","sku":"A1","body":{"quantity":1}}`, problem.InvalidKey, "/id"},
		{`{"id":"k","type":"receive_stock","body":{"quantity":1}}`, problem.InvalidSKU, "/sku"},
		{`{"id":"k","type":"cancel_order","order_id":"7","body":{}}`, "order_not_found", "/order_id"},
		{`{"id":"k","type":"place_order","if_match":1,"body":` + threeLines + `}`, problem.InvalidIfMatch, "/if_match"},
		{`{"id":"k","type":"receive_stock","sku":"A1","body":{"quantity":-1}}`, problem.InvalidQuantity, "/body/quantity"},
		{`{"id":"k","type":"receive_stock","sku":"A1","body":[]}`, problem.WrongType, "/body"},
	} {
		_, cmd, err := ParseLine([]byte(test.line), 1, Options{})
		if test.code == "" {
			if err != nil || cmd == nil {
				t.Errorf("%s: %v", test.line, err)
			}
			continue
		}
		p := problem.Of(err)
		if p.Code != test.code || len(p.Errors) == 0 || p.Errors[0].Pointer != test.pointer {
			t.Errorf("%s: got %s %v, want %s %s", test.line, p.Code, p.Errors, test.code, test.pointer)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Request{Type: PlaceOrder, Key: new("a-key-of-usual-length"), Body: []byte(threeLines)},
			Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLine(b *testing.B) {
	line := []byte(`{"id":"a-key-of-usual-length","type":"place_order","body":` + threeLines + `}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseLine(line, 1, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// allocated is an order with an allocation.
func allocated(rule string) string {
	return strings.TrimSuffix(threeLines, "}") + `,"allocation":` + rule + "}"
}
