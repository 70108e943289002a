package shard

import (
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
)

// FuzzDecodeResult: what another replica answers is a result or an error, and a result stays the same on its way.
func FuzzDecodeResult(f *testing.F) {
	position, err := eventlog.ParsePosition("o3.1234~i7.88")
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []Result{
		{Version: 2, Position: position, Order: &OrderSummary{ID: "o-1", Status: "reserved", TotalMicros: 5}, Repeated: true},
		{Code: CodeInsufficient, Short: []order.ShortLine{{SKU: "A1", Requested: 2, Reason: 1}}},
		{Version: 1, Stock: &StockSummary{SKU: "A1"}},
	} {
		value, err := encodeResult(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := decodeResult(value)
		if err != nil {
			return
		}
		again, err := encodeResult(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decodeResult(again)
		if err != nil {
			t.Fatal(err)
		}
		// Empty lists and none are the same to clients, so the texts are compared.
		if third, err := encodeResult(second); err != nil || string(third) != string(again) {
			t.Fatalf("%v: %s, then %s", err, again, third)
		}
	})
}

// FuzzCheckpoint: what a checkpoint holds of an order, or for one, decodes or is refused; what decodes stays the same.
func FuzzCheckpoint(f *testing.F) {
	var scratch []byte
	e := entry{o: order.Order{ID: "o-1", Version: 2}, commands: []commandRecord{{key: "k-1", version: 1}, {key: "k-2", version: 2}}}
	value, err := e.encode(nil, &scratch)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		var first, second entry
		if first.decode(value) == nil {
			again, err := first.encode(nil, &scratch)
			if err != nil || second.decode(again) != nil || !reflect.DeepEqual(first, second) {
				t.Fatalf("%v: %+v, then %+v", err, first, second)
			}
		}
		var held, heldAgain holdings
		if held.decode(value) == nil {
			again, err := held.encode(nil, &scratch)
			if err != nil || heldAgain.decode(again) != nil || len(held.list) != len(heldAgain.list) {
				t.Fatalf("%v: %+v, then %+v", err, held, heldAgain)
			}
		}
	})
}
