package command

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/problem"
)

// FuzzDecode: whatever comes in, the answer is a command or a problem of the client's making, and the same
// the second time.
func FuzzDecode(f *testing.F) {
	f.Add(PlaceOrder, []byte(threeLines))
	f.Add(PlaceOrder, []byte(pricedOrder))
	f.Add(ImportOrder, []byte(`{"reference":"1","currency":"GBP","occurred_at":"2010-12-01T08:26:00Z","lines":[{"sku":`+
		`"A","quantity":1,"unit_price":"1e3"}]}`))
	f.Add(AdjustStock, []byte(`{"delta":-1,"reason":"other","location":"\u0000"}`))
	f.Add(ShipOrder, []byte(`{"lines":null}`))
	f.Add(CountStock, []byte(`{"counted":1,"counted":2}`))
	f.Fuzz(func(t *testing.T, typ string, body []byte) {
		r := Request{Type: typ, ID: testOrderID, Key: new("k"), Body: body, ReceivedAtMicros: receivedAt}
		first, err := Parse(r, Options{})
		if err != nil {
			checkProblem(t, err)
			return
		}
		again, err := Parse(r, Options{})
		if err != nil || again.Fingerprint != first.Fingerprint {
			t.Fatalf("the second time: %v", err)
		}
		if (first.Order == nil) == (first.Stock == nil) {
			t.Fatal("not exactly one command")
		}
	})
}

// FuzzParseLine: a line gives a command or a problem, and nothing of the line is kept.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"id":"k","type":"place_order","body":` + threeLines + `}`))
	f.Add([]byte(`{"id":"k","type":"receive_stock","sku":"A1","if_match":1,"body":{"quantity":5}}`))
	f.Add([]byte(`{"id":"k","type":"cancel_order","order_id":"` + testOrderID + `"}`))
	f.Add([]byte(`{"id":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.Clone(line)
		id, cmd, err := ParseLine(line, 1, Options{})
		clear(line)
		if err != nil {
			checkProblem(t, err)
			return
		}
		if cmd.Key != id || bytes.IndexByte(cmd.Body, 0) >= 0 {
			t.Fatalf("the command holds on to its line: %q", cmd.Body)
		}
	})
}

func checkProblem(t *testing.T, err error) {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) {
		t.Fatalf("not a problem: %v", err)
	}
	if status := p.HTTPStatus(); status < 400 || status > 499 {
		t.Fatalf("%s has status %d", p.Code, status)
	}
	if !jsontext.Value(p.AppendJSON(nil)).IsValid() {
		t.Fatalf("not JSON: %s", p.AppendJSON(nil))
	}
}
