package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/command"
)

// errPanic stands for a panic that is logged already.
var errPanic = errors.New("panic in a handler")

// isRouting reports whether err means that no route took the request.
func isRouting(err error) bool {
	return errors.Is(err, echo.ErrNotFound) || errors.Is(err, echo.ErrMethodNotAllowed)
}

// answerError writes the problem that an error stands for; what went wrong inside goes to the log only.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return // the answer has begun
	}
	if err := writeProblem(c, s.problemOf(err, c)); err != nil {
		s.config.Logger.Debug("answer not written", "error", err)
	}
}

func (s *Server) problemOf(err error, c echo.Context) *command.Problem {
	var p *command.Problem
	if errors.As(err, &p) {
		if p.Cause != nil {
			s.config.Logger.Error("request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "error", p.Cause)
		}
		return p
	}
	switch {
	case errors.Is(err, echo.ErrNotFound):
		return &command.Problem{Code: command.CodeNotFound, Detail: "No route has this path."}
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return &command.Problem{Code: command.CodeMethod, Detail: "Allowed here: " + c.Response().Header().Get(echo.HeaderAllow) + "."}
	case errors.Is(err, context.Canceled):
		return &command.Problem{Code: command.CodeRequestTimeout, Detail: "The client went away."}
	case !errors.Is(err, errPanic):
		s.config.Logger.Error("request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "error", err)
	}
	return command.AsProblem(err)
}

func writeProblem(c echo.Context, p *command.Problem) error {
	if p.Instance == "" {
		p.Instance = c.Request().URL.Path
	}
	header := c.Response().Header()
	if p.CurrentVersion != 0 {
		header["Etag"] = []string{etag(p.CurrentVersion)}
	}
	if p.RetryAfterSeconds > 0 {
		header["Retry-After"] = []string{strconv.Itoa(p.RetryAfterSeconds)}
	}
	buf := takeBuffer()
	defer buf.release()
	buf.b = p.AppendJSON(buf.b)
	return writeBody(c, p.HTTPStatus(), problemContentType, buf.b)
}

// Shared header values: net/http only reads them.
var (
	jsonContentType    = []string{"application/json"}
	problemContentType = []string{"application/problem+json"}
	linesContentType   = []string{"application/x-ndjson"}
)

func writeBody(c echo.Context, status int, contentType []string, body []byte) error {
	c.Response().Header()["Content-Type"] = contentType
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}

// buffer is a pooled byte slice.
type buffer struct{ b []byte }

// maxPooledBytes keeps rare giants from staying in the pool.
const maxPooledBytes = 256 << 10

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

func takeBuffer() *buffer {
	buf, _ := buffers.Get().(*buffer)
	buf.b = buf.b[:0]
	return buf
}

func (b *buffer) release() {
	if cap(b.b) <= maxPooledBytes {
		buffers.Put(b)
	}
}

func etag(version uint64) string {
	b := make([]byte, 0, 24)
	b = append(b, '"')
	b = strconv.AppendUint(b, version, 10)
	return string(append(b, '"'))
}
