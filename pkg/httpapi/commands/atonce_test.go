package commands

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

var refusedAtOnce = shard.Result{Code: problem.InsufficientStock, Detail: "Not enough of 1 SKU."}

// looks is more often than one answer looks at its future.
const looks = 8

// endsAtLook is a future that ends just before somebody looks at it for the nth time.
func endsAtLook(n int, r shard.Result) *handFuture {
	f := newHandFuture()
	f.onLook = func() {
		if n--; n == 0 {
			f.finish(r)
		}
	}
	return f
}

// A command that ends at once is done or, for whoever stopped waiting before, open. It is never accepted, whichever
// looks it ends between.
func TestWhatEndsAtOnceIsNeverAccepted(t *testing.T) {
	for n := 1; n <= looks; n++ {
		for _, p := range []preference{{}, {async: true}} {
			if await(t.Context(), endsAtLook(n, refusedAtOnce), p) == accepted {
				t.Errorf("%+v: refused at look %d, and looks accepted", p, n)
			}
		}
	}
}

func TestALineThatEndsAtOnceIsNeverAccepted(t *testing.T) {
	_, cmd, err := command.ParseLine([]byte(placeLine("k")), 1, command.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= looks; n++ {
		for _, result := range []shard.Result{refusedAtOnce, success(cmd)} {
			var w bulkWriter
			w.line(&bulkLine{id: "k", cmd: cmd, run: &submission{future: endsAtLook(n, result)}})
			if r := parseResult(t, w.b); r.Status == http.StatusAccepted {
				t.Errorf("ended at look %d: %s", n, w.b)
			}
		}
	}
}

// Whoever waits for acceptance alone hears at once of an outcome that is there already.
func TestAnOutcomeEndsTheWaitForAcceptance(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	f := newHandFuture()
	f.finish(refusedAtOnce)
	if got := await(ctx, f, preference{wait: time.Hour, async: true}); got != done || ctx.Err() != nil {
		t.Errorf("%v after %v", got, ctx.Err())
	}
}
