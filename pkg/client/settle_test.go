package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSettleSendsAgainWhatIsOpenInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		broken := errors.New("broken")
		answers := [][]Outcome{{{Status: 201}, {Status: 503}, {Status: 404, Code: "x"}, {Status: 202}}, nil, {{Status: 200}, {Status: 200}}}
		settled := map[string]int{}
		err := Settle(t.Context(), []string{"a", "b", "c", "d"}, func(_ context.Context, c []string) ([]Outcome, error) {
			sent = append(sent, strings.Join(c, ""))
			if len(sent) == 2 {
				return nil, broken
			}
			return answers[len(sent)-1], nil
		}, func(c string, o Outcome) error { settled[c] = o.Status; return nil })
		if err != nil || strings.Join(sent, " ") != "abcd bd bd" || settled["b"] != 200 || settled["c"] != 404 || len(settled) != 4 {
			t.Errorf("%v: sent %v, settled %v", err, sent, settled)
		}
	})
}

func TestSettleEnds(t *testing.T) {
	broken, own := errors.New("broken"), errors.New("own")
	gone := &Problem{ProblemDocument: ProblemDocument{Code: "not_found"}}
	gone.Status = http.StatusNotFound
	for name, c := range map[string]struct {
		outcomes      []Outcome
		err, settling error
		want          string
		after         time.Duration
	}{
		"nothing moves":          {err: broken, want: "no outcome for 1 commands within 2m0s", after: MaxPatience},
		"refusals for now":       {outcomes: []Outcome{{Status: 503, Code: "unavailable"}}, want: "status 503 unavailable", after: MaxPatience},
		"answers that are short": {want: "ended before all results came", after: MaxPatience},
		"refused for good":       {err: gone, want: "not_found"},
		"the caller's error":     {outcomes: []Outcome{{Status: 201}}, settling: own, want: "own"},
		"too many answers":       {outcomes: make([]Outcome, 2), want: "2 results came for 1 commands"},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := Settle(t.Context(), []string{"a"}, func(context.Context, []string) ([]Outcome, error) { return c.outcomes, c.err },
				func(string, Outcome) error { return c.settling })
			if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(start) < c.after {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		})
	}
}

func TestSettleEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Settle(ctx, []string{"a"}, func(context.Context, []string) ([]Outcome, error) {
		cancel()
		return nil, context.Canceled
	}, func(string, Outcome) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
