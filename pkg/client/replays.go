package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

// CreateReplay computes an insight over the history. The answer is the replay as it begins.
func (c *Client) CreateReplay(
	ctx context.Context, replay CreateReplay, options ...CallOption,
) (*Answer[Replay], error) {
	return command[Replay](ctx, c, request{method: http.MethodPost, path: path("replays"), body: replay}, options)
}

// ReplayFilter selects a page of replays. Zero values select all.
type ReplayFilter struct {
	Insight string
	Phase   ReplayPhase
	Limit   int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// Replays reads a page of replays, newest first. They have no progress.
func (c *Client) Replays(ctx context.Context, filter ReplayFilter) (*Answer[ReplayPage], error) {
	values := parameters(filter.Limit, map[string]string{
		"insight": filter.Insight,
		"phase":   string(filter.Phase),
		"cursor":  filter.Cursor,
	})
	return query[ReplayPage](ctx, c, request{method: http.MethodGet, path: path("replays"), query: values}, nil)
}

// Replay reads how far a replay is.
func (c *Client) Replay(ctx context.Context, replayID string) (*Answer[Replay], error) {
	return query[Replay](ctx, c, request{method: http.MethodGet, path: path("replays", replayID)}, nil)
}

// ReplayLog reads the decisions about a replay.
func (c *Client) ReplayLog(ctx context.Context, replayID string) (*Answer[ReplayLog], error) {
	return query[ReplayLog](ctx, c, request{method: http.MethodGet, path: path("replays", replayID, "log")}, nil)
}

// ReplayAction is what can be decided about a replay.
type ReplayAction string

// The actions.
const (
	PauseReplay    ReplayAction = "pause"
	ResumeReplay   ReplayAction = "resume"
	CancelReplay   ReplayAction = "cancel"
	VerifyReplay   ReplayAction = "verify"
	PromoteReplay  ReplayAction = "promote"
	RollBackReplay ReplayAction = "rollback"
	DiscardReplay  ReplayAction = "discard"
)

// DecideReplay carries out an action. A refusal that Decide.Force overcomes is a *Problem that is Forceable.
func (c *Client) DecideReplay(
	ctx context.Context, replayID string, action ReplayAction, decide Decide, options ...CallOption,
) (*Answer[Replay], error) {
	r := request{method: http.MethodPost, path: path("replays", replayID, string(action)), body: decide}
	return command[Replay](ctx, c, r, options)
}

// PlanInsights says what it takes to make definitions live. It changes nothing.
func (c *Client) PlanInsights(ctx context.Context, files PlanRequest) (*Answer[Plan], error) {
	return query[Plan](ctx, c, request{method: http.MethodPost, path: path("insights", "plan"), body: files}, nil)
}

// DropInsight drops an insight with all its replays.
func (c *Client) DropInsight(ctx context.Context, insight string, decide Decide, options ...CallOption) error {
	r := request{method: http.MethodDelete, path: path("insights", insight), body: decide}
	_, err := command[struct{}](ctx, c, r, options)
	return err
}

// errStreamEnded is the error for a stream of progress that has no end, because the server has stopped.
var errStreamEnded = errors.New("the stream of progress ended early")

// FollowReplay calls changed with a replay now, whenever it changes, and each second while it is being filled or
// verified, until it is idle. A stream that breaks is opened again.
func (c *Client) FollowReplay(ctx context.Context, replayID string, changed func(*Replay)) error {
	return c.retried(ctx, func(works func()) error {
		idle, err := c.followOnce(ctx, replayID, func(r *Replay) {
			works()
			changed(r)
		})
		if err == nil && !idle {
			return errStreamEnded
		}
		return err
	})
}

// followOnce reads one stream.
func (c *Client) followOnce(ctx context.Context, replayID string, changed func(*Replay)) (idle bool, err error) {
	request, err := c.newRequest(ctx, http.MethodGet, path("replays", replayID, "progress"), nil, "", nil)
	if err != nil {
		return false, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
		if err != nil {
			return false, fmt.Errorf("read answer: %w", err)
		}
		return false, problemOf(response, body)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, MaxAnswerBytes)
	for lines.Scan() {
		if name, ok := bytes.CutPrefix(lines.Bytes(), []byte("event: ")); ok {
			idle = string(name) == "end"
		}
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var r Replay
		if err := json.Unmarshal(data, &r); err != nil {
			return false, fmt.Errorf("decode progress: %w", err)
		}
		if changed(&r); idle {
			return true, nil
		}
	}
	return false, lines.Err()
}
