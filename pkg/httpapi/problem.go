package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/problem"
)

// errPanic stands for a panic that is logged already.
var errPanic = errors.New("panic in a handler")

// isRouting reports whether err means that no route took the request.
func isRouting(err error) bool {
	return errors.Is(err, echo.ErrNotFound) || errors.Is(err, echo.ErrMethodNotAllowed)
}

// answerError writes the problem that an error stands for; what went wrong inside goes to the log only.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed { // the answer has begun, and observe cuts it off
		if c.Request().Context().Err() == nil {
			s.logFailure(c, fmt.Errorf("the answer breaks off: %w", reasonOf(err)))
		}
		return
	}
	if err := writeProblem(c, s.problemOf(err, c)); err != nil {
		s.config.Logger.Debug("answer not written", "error", err)
	}
}

// reasonOf is what is behind an error that is a problem.
func reasonOf(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Reason != nil {
		return p.Reason
	}
	return err
}

func (s *Server) problemOf(err error, c echo.Context) *problem.Problem {
	var p *problem.Problem
	if errors.As(err, &p) {
		if p.Reason != nil {
			s.logFailure(c, p.Reason)
		}
		return p
	}
	switch {
	case errors.Is(err, echo.ErrNotFound):
		return problem.New(problem.NotFound, "No route has this path.")
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return problem.New(problem.MethodNotAllowed, "Allowed here: "+c.Response().Header().Get(echo.HeaderAllow)+".")
	case errors.Is(err, context.Canceled):
		return problem.New(problem.RequestTimeout, "The client went away.")
	case !errors.Is(err, errPanic):
		s.logFailure(c, err)
	}
	return problem.Of(err)
}

func (s *Server) logFailure(c echo.Context, err error) {
	s.config.Logger.Error("request failed",
		"method", c.Request().Method, "path", c.Request().URL.Path, "error", err)
}

func writeProblem(c echo.Context, p *problem.Problem) error {
	if p.Instance == "" {
		p.Instance = c.Request().URL.Path
	}
	header := c.Response().Header()
	if p.CurrentVersion != 0 {
		header["Etag"] = []string{ETag(p.CurrentVersion)}
	}
	if p.RetryAfterSeconds > 0 {
		header["Retry-After"] = []string{strconv.Itoa(p.RetryAfterSeconds)}
	}
	buf := TakeBuffer()
	defer buf.Release()
	buf.B = p.AppendJSON(buf.B)
	return WriteBody(c, p.HTTPStatus(), ProblemContentType, buf.B)
}
