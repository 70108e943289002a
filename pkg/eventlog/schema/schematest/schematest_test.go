package schematest_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestAnEventHasTheChangeItIsMadeWith(t *testing.T) {
	placed, received := &eventv1.OrderPlaced{CustomerId: "c"}, &eventv1.StockReceived{Quantity: 3}
	if got := schematest.OrderEvent(placed).GetOrderPlaced(); !proto.Equal(got, placed) {
		t.Errorf("the order event has %v", got)
	}
	if got := schematest.StockEvent(received).GetStockReceived(); !proto.Equal(got, received) {
		t.Errorf("the stock event has %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a message that is no change was accepted")
		}
	}()
	schematest.OrderEvent(&emptypb.Empty{})
}
