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

// MaxPatience bounds how long Complete sends the same commands again while none of them gets an outcome.
const MaxPatience = 2 * time.Minute

// Outcome is the API's answer to one line of Bulk, without the members that senders of many commands do not need.
type Outcome struct {
	// Status is the HTTP status; 0: no answer came.
	Status int
	// Repeated means that an earlier request with the same key carried the command out, according to the answer.
	Repeated bool
	// Problem is the JSON of a refusal. Code and Detail are its members of these names.
	Code, Detail string
	Problem      jsontext.Value
}

// Done means that the command was carried out, now or by an earlier request with the same key.
func (o Outcome) Done() bool { return o.Status == http.StatusOK || o.Status == http.StatusCreated }

// Open means that the outcome is not known or not decided yet. Sending the same key again is safe and leads to an
// outcome.
func (o Outcome) Open() bool {
	switch o.Status {
	case 0, http.StatusAccepted, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return o.Status >= http.StatusInternalServerError
}

// Outcomes sends lines in one request and returns their outcomes in order. Each line must have its ID before any other
// member. On an error there may be fewer outcomes than lines; the missing ones are open.
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
			// A line without the command's key has the reason why the stream ends.
			return outcomes, fmt.Errorf("the stream ended: %s: %s", o.Code, o.Detail)
		}
		outcomes = append(outcomes, o)
	}
}

// readOutcome reads a line of results. It decodes only what an Outcome has, which is faster than a whole ResultLine.
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

// Complete sends commands until each has a definite outcome, and passes it to completed. It sends again those whose
// outcome is open, in the same order. It fails when no command has got an outcome for MaxPatience.
func Complete[C any](
	ctx context.Context, commands []C,
	send func(context.Context, []C) ([]Outcome, error), completed func(C, Outcome) error,
) error {
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
		open, err := complete(commands, outcomes, completed, err)
		if len(open) == 0 {
			return err
		}
		if len(open) < len(commands) || deadline.IsZero() {
			deadline = time.Now().Add(MaxPatience)
			attempt = 1
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no outcome for %d commands within %v; run again, it goes on where it stopped: %w",
				len(open), MaxPatience, err)
		}
		commands = open
		if err := pause(ctx, attempt, err); err != nil {
			return context.Cause(ctx)
		}
	}
}

// complete passes definite outcomes to completed. It returns the commands whose outcome is open, with the reason for
// that. An error of completed comes back without commands.
func complete[C any](
	commands []C, outcomes []Outcome, completed func(C, Outcome) error, cause error,
) (open []C, reason error) {
	for i, c := range commands {
		var o Outcome
		if i < len(outcomes) {
			o = outcomes[i]
		}
		if !o.Open() {
			if err := completed(c, o); err != nil {
				return nil, err
			}
			continue
		}
		open = append(open, c)
		if cause == nil && o.Status != 0 {
			cause = fmt.Errorf("status %d %s: %s", o.Status, o.Code, o.Detail)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	if cause == nil {
		cause = errors.New("the stream ended before all results came")
	}
	return open, cause
}
