package shard

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// FuzzDecodeResult: what another replica answers is a result or an error. A result survives another trip unchanged.
func FuzzDecodeResult(f *testing.F) {
	position, err := eventlog.ParsePosition("o3.1234~i7.88")
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []Result{
		{
			Version: 2, Position: position, Repeated: true,
			Order: &OrderSummary{ID: "o-1", Number: 15, Status: "reserved", TotalMicros: 5},
		},
		{Code: problem.InsufficientStock, Short: []order.ShortLine{{SKU: "A1", Requested: 2, Reason: 1}}},
		{Version: 1, Stock: &StockSummary{SKU: "A1"}},
	} {
		value, err := resultToWire(r).MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		message := &peerv1.CommandResult{}
		if message.UnmarshalVT(value) != nil {
			return
		}
		first, err := resultFromWire(message)
		if err != nil {
			return
		}
		again := overWire(t, first)
		if diff := differ(first, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
