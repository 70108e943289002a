package commands

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// outcome is how far a command got within a client's wait.
type outcome int

const (
	open     outcome = iota // nothing is known
	accepted                // durable, the outcome is to come
	done
)

// await waits as the client prefers. A client that goes away ends the wait, not the command.
func await(ctx context.Context, f future, p preference) outcome {
	var durable <-chan struct{} // nil never closes
	if p.async {
		durable = f.Accepted()
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-f.Done():
	case <-durable:
	case <-timer.C:
	case <-ctx.Done():
	}
	return progress(f)
}

// progress looks at Done last, so that a command which ends between the two looks is done.
func progress(f future) outcome {
	how := open
	select {
	case <-f.Accepted():
		how = accepted
	default:
	}
	select {
	case <-f.Done():
		return done
	default:
		return how
	}
}

// answer writes a command's outcome.
func (a *api) answer(c echo.Context, cmd *shard.Command, r *shard.Result) error {
	a.setPosition(c.Response().Header(), r)
	if p := command.Refusal(cmd, r); p != nil {
		return p
	}
	row, _ := command.Lookup(cmd.Type)
	if row.Creates {
		c.Response().Header()["Location"] = []string{location(cmd, r)}
	}
	return writeResult(c, row.Status, r)
}

// answerAccepted writes 202: the command is durable, its outcome will be seen at Location.
func (a *api) answerAccepted(c echo.Context, cmd *shard.Command, r *shard.Result) error {
	a.setPosition(c.Response().Header(), r)
	c.Response().Header()["Location"] = []string{location(cmd, r)}
	return writeResult(c, http.StatusAccepted, r)
}

func writeResult(c echo.Context, status int, r *shard.Result) error {
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	version := r.Version
	switch {
	case r.Order != nil:
		version = r.Order.Version
		buf.B = command.AppendOrder(buf.B, r.Order)
	case r.Stock != nil:
		version = r.Stock.Version
		buf.B = command.AppendStock(buf.B, r.Stock)
	default:
		buf.B = append(buf.B, "{}"...)
	}
	if version != 0 {
		c.Response().Header()["Etag"] = []string{httpapi.ETag(version)}
	}
	return httpapi.WriteBody(c, status, httpapi.JSONContentType, buf.B)
}

func (a *api) setPosition(header http.Header, r *shard.Result) {
	if !r.Position.IsZero() {
		header["Holdfast-Position"] = []string{a.incarnation.Text(r.Position)}
	}
}

func location(cmd *shard.Command, r *shard.Result) string {
	if cmd.Order != nil {
		return "/v1/orders/" + changed(cmd, r)
	}
	return "/v1/availability/" + url.PathEscape(cmd.ID)
}

// changed is the ID of the order or item that a command has changed. A new order may have been placed before, under
// the ID that keys had then. r may be nil.
func changed(cmd *shard.Command, r *shard.Result) string {
	if r != nil && r.Order != nil {
		return r.Order.ID
	}
	return cmd.ID
}

// notDurable answers a command that was not durable when the wait ended.
func notDurable() *problem.Problem {
	return &problem.Problem{
		Code: problem.Unavailable, RetryAfterSeconds: 1,
		Detail: "The command was not durable within the wait. It may still come to be: retry with the same key.",
	}
}
