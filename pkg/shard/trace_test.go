package shard

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// The commands of one stream are one request, and a batch has not more than so many spans.
func TestABatchKnowsTheRequestsThatAreTraced(t *testing.T) {
	b := newBatch()
	for _, parent := range []string{"", "a", "a", "", "b", "a"} {
		b.trace(parent)
	}
	if got := fmt.Sprint(b.traced); got != "[a b a]" {
		t.Errorf("traced are %s", got)
	}
	for i := range 2 * maxTraced {
		b.trace(fmt.Sprint(i))
	}
	if len(b.traced) != maxTraced {
		t.Errorf("%d are traced", len(b.traced))
	}
	if b.reset(); len(b.traced) != 0 {
		t.Errorf("the next batch begins with %v", b.traced)
	}
	if allocations := testing.AllocsPerRun(100, func() { b.trace("") }); allocations != 0 {
		t.Errorf("a request that is not traced allocates %v times", allocations)
	}
}

// The event of a traced request names its span; any other has the headers of CloudEvents alone.
func TestEventsOfATracedRequestNameItsSpan(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	b := newBatch()
	for _, trace := range []string{"", parent, ""} {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
		err := b.add(tp, "o-1", []byte("event"), "holdfast.x.v1", &codec.Meta{}, trace)
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"", parent, ""} {
		rec := b.records[i]
		headers := headersPerEvent
		if want != "" {
			headers++
		}
		if rec.Header(tracing.HeaderName) != want || len(rec.Headers) != headers {
			t.Errorf("event %d has %v", i, rec.Headers)
		}
	}
}
