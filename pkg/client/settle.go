package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxPatience bounds how long Settle sends the same commands again while none of them gets an outcome.
const MaxPatience = 2 * time.Minute

// Outcome is the API's answer to one line of bulk, as much of it as those who send many need.
type Outcome struct {
	// Status is that of HTTP; 0: none came.
	Status int
	// Repeated: done before, under the same key, as far as that is known.
	Repeated bool
	// Code and Detail are those of Problem, the JSON of the refusal, where there is one.
	Code, Detail string
	Problem      jsontext.Value
}

// Done means carried out, now or by an earlier request with the same key.
func (o Outcome) Done() bool { return o.Status == http.StatusOK || o.Status == http.StatusCreated }

// Open means that it is not known, or not decided, what came of it. Sending the same key again is safe and leads to an outcome.
func (o Outcome) Open() bool {
	switch o.Status {
	case 0, http.StatusAccepted, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return o.Status >= http.StatusInternalServerError
}

// Outcomes sends lines in one request and returns their outcomes, in order. Every line has its ID before any other
// member. On an error the outcomes may be fewer than the lines; those of the others are open.
func (c *Client) Outcomes(ctx context.Context, ids []string, lines io.Reader) ([]Outcome, error) {
	stream, err := c.Bulk(ctx, lines)
	if err != nil {
		return nil, fmt.Errorf("send commands: %w", err)
	}
	defer stream.Close()
	outcomes := make([]Outcome, 0, len(ids))
	for {
		line, err := stream.NextLine()
		if errors.Is(err, io.EOF) {
			return outcomes, nil
		}
		if err != nil {
			return outcomes, err
		}
		id, o, err := readOutcome(line)
		if err != nil {
			return outcomes, err
		}
		if len(outcomes) == len(ids) || id != ids[len(outcomes)] {
			// A line without a command's key says why the stream ends.
			return outcomes, fmt.Errorf("the stream ended: %s: %s", o.Code, o.Detail)
		}
		outcomes = append(outcomes, o)
	}
}

// readOutcome reads what matters of a result: most of it is of no interest here, and a narrow type is cheap to decode.
func readOutcome(line []byte) (string, Outcome, error) {
	var r struct {
		ID       string         `json:"id"`
		Status   int            `json:"status"`
		Repeated bool           `json:"repeated"`
		Problem  jsontext.Value `json:"problem"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return "", Outcome{}, fmt.Errorf("decode result: %w", err)
	}
	o := Outcome{Status: r.Status, Repeated: r.Repeated, Problem: r.Problem}
	if len(r.Problem) > 0 {
		var p struct {
			Code   string `json:"code"`
			Detail string `json:"detail"`
		}
		if err := json.Unmarshal(r.Problem, &p); err != nil {
			return "", Outcome{}, fmt.Errorf("decode problem: %w", err)
		}
		o.Code, o.Detail = p.Code, p.Detail
	}
	return r.ID, o, nil
}

// Settle sends commands until each has a definite outcome, which it hands to settled: what is left open is sent again,
// in the same order. It gives up when nothing has moved for MaxPatience.
func Settle[C any](ctx context.Context, commands []C, send func(context.Context, []C) ([]Outcome, error), settled func(C, Outcome) error) error {
	var deadline time.Time
	for attempt := 1; ; attempt++ {
		outcomes, err := send(ctx, commands)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !retryable(ctx, err):
			return err
		case len(outcomes) > len(commands):
			return fmt.Errorf("%d results came for %d commands", len(outcomes), len(commands))
		}
		left, err := settle(commands, outcomes, settled, err)
		if len(left) == 0 {
			return err
		}
		if len(left) < len(commands) || deadline.IsZero() {
			deadline = time.Now().Add(MaxPatience)
			attempt = 1
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no outcome for %d commands within %v; run again, it goes on where it stopped: %w", len(left), MaxPatience, err)
		}
		commands = left
		if err := pause(ctx, attempt, err); err != nil {
			return context.Cause(ctx)
		}
	}
}

// settle takes what has a definite outcome, and returns the rest with the reason why it has none. An error without a
// rest ends it.
func settle[C any](commands []C, outcomes []Outcome, settled func(C, Outcome) error, cause error) (left []C, why error) {
	for i, c := range commands {
		var o Outcome
		if i < len(outcomes) {
			o = outcomes[i]
		}
		if !o.Open() {
			if err := settled(c, o); err != nil {
				return nil, err
			}
			continue
		}
		left = append(left, c)
		if cause == nil && o.Status != 0 {
			cause = fmt.Errorf("status %d %s: %s", o.Status, o.Code, o.Detail)
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	if cause == nil {
		cause = errors.New("the stream ended before all results came")
	}
	return left, cause
}
