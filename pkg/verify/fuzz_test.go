package verify

import (
	"bytes"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
)

// FuzzRecords: any three records of a topic are folded and checked.
func FuzzRecords(f *testing.F) {
	samples := codectest.Samples(f)
	for i, s := range samples {
		f.Add(uint8(i), s.Value, samples[(i+1)%len(samples)].Value, samples[(i+7)%len(samples)].Value)
	}
	f.Fuzz(func(_ *testing.T, which uint8, first, second, third []byte) {
		c := newChecker(eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}, Options{})
		for i, value := range [][]byte{first, second, third} {
			rec := &eventlog.Record{Offset: int64(i), Value: value}
			switch which % 3 {
			case 0:
				rec.Topic = eventlog.TopicOrders
				c.foldOrder(rec)
			case 1:
				rec.Topic = eventlog.TopicInventory
				c.foldStock(rec)
			default:
				rec.Topic = eventlog.TopicAvailability
				c.addRow(rec)
			}
		}
		c.checkAgreement()
	})
}

// FuzzAcks: any acks file is checked, or refused with the number of a line.
func FuzzAcks(f *testing.F) {
	f.Add([]byte(`{"key":"k","order_id":"o","status":201,"outcome":"reserved","position":"o1.2"}` + "\n" +
		`{"key":"k2","status":409,"outcome":"rejected"}`))
	f.Add([]byte(`{"key":"r","type":"receive_stock","sku":"A","status":201}` + "\n" +
		`{"key":"c","type":"cancel_order","order_id":"o","status":409}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		c := newChecker(eventlog.Layout{Generation: 1, PartitionCount: 1, ShardCount: 1}, Options{})
		_ = c.checkAcks(bytes.NewReader(text)) // an error names the line
	})
}
