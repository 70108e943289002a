package shard

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
)

// TestAStepWasAnsweredWhereOneShardWroteAll: in the transaction of the order's event, under the layout of that time. A
// step of which stock was another shard's may be under way still.
func TestAStepWasAnsweredWhereOneShardWroteAll(t *testing.T) {
	s := &shardState{
		layout: eventlog.Layout{Generation: 3, PartitionCount: 4, ShardCount: 4},
		former: []eventlog.Layout{
			{Generation: 1, PartitionCount: 4, ShardCount: 1}, {Generation: 2, PartitionCount: 4, ShardCount: 2},
		},
	}
	skus := map[int32]string{} // by partition
	for i := 0; len(skus) < 4; i++ {
		sku := fmt.Sprint("sku-", i)
		skus[s.partitionOf(sku)] = sku
	}
	for _, test := range []struct {
		generation, shard uint32
		partitions        []int32
		lifecycle         order.Lifecycle
		want              bool
	}{
		{1, 0, []int32{0, 1, 2, 3}, order.Confirmed, true},
		{1, 0, []int32{0, 1}, order.Cancelled, true},
		{1, 0, []int32{0, 1}, order.Placed, false}, // its outcome is an event
		{2, 0, []int32{0, 2}, order.Confirmed, true},
		{2, 1, []int32{1, 3}, order.Confirmed, true},
		{2, 0, []int32{0, 1}, order.Confirmed, false}, // shard 1 was asked
		{2, 1, []int32{0, 2}, order.Confirmed, false},
		{3, 0, []int32{0}, order.Confirmed, false}, // reservations say so
		{0, 0, []int32{0}, order.Confirmed, false}, // nobody knows under which layout
	} {
		o := order.Order{Lifecycle: test.lifecycle}
		for _, partition := range test.partitions {
			o.Lines = append(o.Lines, order.Line{SKU: skus[partition], Quantity: 1})
		}
		m := &codec.Meta{Generation: test.generation, Shard: test.shard}
		if got := (&fold{shardState: s}).answeredThen(&o, m); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
	}
}
