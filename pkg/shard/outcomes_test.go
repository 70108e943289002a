package shard

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/problem"
)

// Every command counts once, under its type and what became of it. A type that nobody named is "other".
func TestCommandsAreCountedByOutcome(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry(), []string{"place_order"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		typ    string
		result Result
		label  []string
	}{
		{"place_order", Result{}, []string{"place_order", "done"}},
		{"place_order", Result{Repeated: true}, []string{"place_order", "repeated"}},
		{"place_order", Result{Code: problem.InsufficientStock}, []string{"place_order", "refused"}},
		{"place_order", Result{Code: problem.TooManyRequests}, []string{"place_order", "overloaded"}},
		{"place_order", Result{Code: problem.Unavailable}, []string{"place_order", "unavailable"}},
		{"no_such", Result{}, []string{"other", "done"}},
	} {
		in := newCommandInput(&Command{Type: test.typ})
		in.outcomes = m.outcomesOf(test.typ)
		in.accept(test.result)
		in.finish(test.result)
		in.finish(test.result)
		if n := testutil.ToFloat64(m.commands.WithLabelValues(test.label...)); n != 1 {
			t.Errorf("%v: %v", test.label, n)
		}
	}
	newCommandInput(nil).finish(Result{}) // of another replica: counted there
}
