package queries

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Limits of streams of progress.
const (
	// MaxProgressStreams is how many there are at a time.
	MaxProgressStreams = 64
	// progressInterval is how often a stream looks how far a replay is that is being filled or verified, and also the
	// longest time between two events of it.
	progressInterval = time.Second
	// progressHeartbeat is the longest time without a byte, so that proxies do not take the stream for dead.
	progressHeartbeat = 15 * time.Second
	// progressWriteTimeout is how long a client may leave what was sent unread.
	progressWriteTimeout = 30 * time.Second
	// statusTimeout bounds the question how far a replay is.
	statusTimeout = 10 * time.Second
)

var eventStreamContentType = []string{"text/event-stream"}

// progressStream writes server-sent events.
type progressStream struct {
	c       echo.Context
	control *http.ResponseController
	written time.Time
}

// progress streams how far a replay is: an event "replay" on each change, and each second while it is being filled or
// verified; then an event "end" once nothing more becomes of it by itself.
func (a *replayAPI) progress(c echo.Context, r *catalog.Replay) error {
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		return &problem.Problem{
			Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("There are %d streams of progress already: ask for the replay now and then.",
				MaxProgressStreams),
		}
	}
	header := c.Response().Header()
	header["Content-Type"], header["Cache-Control"] = eventStreamContentType, []string{"no-store"}
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	s := &progressStream{c: c, control: http.NewResponseController(c.Response().Writer)}
	a.follow(s, r.ID)
	return nil
}

// follow writes until the replay is idle, the client has gone, its key has ended or the server stops.
func (a *replayAPI) follow(s *progressStream, id string) {
	ctx := s.c.Request().Context()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		decided := a.service.Decided()
		r := a.service.Replay(id)
		idle := a.service.IsIdle(r)
		if err := s.event(idle, a.describe(ctx, r)); err != nil || idle {
			return
		}
		if a.wait(ctx, s, r, decided, tick.C) != nil {
			return
		}
	}
}

// wait returns when there is something to say; an error: never again.
func (a *replayAPI) wait(
	ctx context.Context, s *progressStream, r *catalog.Replay, decided <-chan struct{}, tick <-chan time.Time,
) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-httpapi.Stopping(ctx):
			return http.ErrServerClosed
		case <-decided: // perhaps about another replay
			decided = a.service.Decided()
			if now := a.service.Replay(r.ID); now.Phase != r.Phase || len(now.Log) != len(r.Log) {
				return nil
			}
		case <-tick:
			if err := httpapi.StillAllowed(a.keys, s.c); err != nil {
				return err
			}
			if r.Phase == catalog.Filling || r.Verifying {
				return nil
			}
			if time.Since(s.written) >= progressHeartbeat {
				if err := s.write([]byte(":\n\n")); err != nil {
					return err
				}
			}
		}
	}
}

func (s *progressStream) event(idle bool, r replayJSON) error {
	name := "replay"
	if idle {
		name = "end"
	}
	r.Definition = "" // it never changes
	data, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return err
	}
	return s.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data))
}

// write sends bytes at once. Each has a time limit of its own, so that the server's for a whole answer does not count.
func (s *progressStream) write(b []byte) error {
	s.written = time.Now()
	// An error means a connection without deadlines, as in tests without a socket.
	_ = s.control.SetWriteDeadline(s.written.Add(progressWriteTimeout))
	if _, err := s.c.Response().Write(b); err != nil {
		return err
	}
	return s.control.Flush()
}
