package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCompleteSendsAgainWhatIsOpenInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		broken := errors.New("broken")
		answers := [][]Outcome{
			{{Status: 201}, {Status: 503}, {Status: 404, Code: "x"}, {Status: 202}},
			nil,
			{{Status: 200}, {Status: 200}},
		}
		completed := map[string]int{}
		err := Complete(t.Context(), []string{"a", "b", "c", "d"}, func(_ context.Context, c []string) ([]Outcome, error) {
			sent = append(sent, strings.Join(c, ""))
			if len(sent) == 2 {
				return nil, broken
			}
			return answers[len(sent)-1], nil
		}, func(c string, o Outcome) error { completed[c] = o.Status; return nil })
		want := map[string]int{"a": 201, "b": 200, "c": 404, "d": 200}
		if err != nil || strings.Join(sent, " ") != "abcd bd bd" || !maps.Equal(completed, want) {
			t.Errorf("%v: sent %v, completed %v", err, sent, completed)
		}
	})
}

func TestCompleteEnds(t *testing.T) {
	broken, own := errors.New("broken"), errors.New("own")
	gone := &Problem{ProblemDocument: ProblemDocument{Code: "not_found"}}
	gone.Status = http.StatusNotFound
	for name, c := range map[string]struct {
		outcomes      []Outcome
		err, callback error
		want          string
		after         time.Duration
	}{
		"nothing moves": {err: broken, want: "no outcome for 1 commands within 2m0s", after: MaxPatience},
		"refusals for now": {
			outcomes: []Outcome{{Status: 503, Code: "unavailable"}}, want: "status 503 unavailable", after: MaxPatience,
		},
		"answers that are short": {want: "ended before all results came", after: MaxPatience},
		"refused for good":       {err: gone, want: "not_found"},
		"the caller's error":     {outcomes: []Outcome{{Status: 201}}, callback: own, want: "own"},
		"too many answers":       {outcomes: make([]Outcome, 2), want: "2 results came for 1 commands"},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			send := func(context.Context, []string) ([]Outcome, error) { return c.outcomes, c.err }
			completed := func(string, Outcome) error { return c.callback }
			err := Complete(t.Context(), []string{"a"}, send, completed)
			if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(start) < c.after {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		})
	}
}

func TestCompleteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Complete(ctx, []string{"a"}, func(context.Context, []string) ([]Outcome, error) {
		cancel()
		return nil, context.Canceled
	}, func(string, Outcome) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
