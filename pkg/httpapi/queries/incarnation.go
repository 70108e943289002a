package queries

import (
	"errors"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
)

// incarnate is a router whose handlers see positions and cursors of this log alone, without its incarnation.
type incarnate struct {
	httpapi.Router
	of eventlog.Incarnation
}

// Add implements httpapi.Router.
func (r incarnate) Add(
	method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc,
) *echo.Route {
	return r.Router.Add(method, path, func(c echo.Context) error {
		if err := r.accept(c); err != nil {
			return err
		}
		return handler(c)
	}, middleware...)
}

// positionHeaders are the headers that have positions, as net/http and as clients write them.
var positionHeaders = map[string]string{
	"Holdfast-Min-Position": "Holdfast-Min-Position", "Last-Event-Id": "Last-Event-ID",
}

// accept refuses positions and cursors of another log, and takes the incarnation off the others. What is no position
// or cursor at all, the handler refuses.
func (r incarnate) accept(c echo.Context) error {
	request := c.Request()
	for name, shown := range positionHeaders {
		sent := request.Header[name]
		if len(sent) == 0 {
			continue
		}
		position, err := r.of.Parse(sent[0])
		if other, ok := errors.AsType[*eventlog.OtherLogError](err); ok {
			return logRestored(shown, other)
		}
		if err == nil {
			sent[0] = position.String()
		}
	}
	if request.URL.RawQuery == "" {
		return nil
	}
	parameters := request.URL.Query() // what is not well-formed has no cursor, and the handler refuses it
	cursor, err := r.of.ParseCursor(parameters.Get("cursor"))
	if other, ok := errors.AsType[*eventlog.OtherLogError](err); ok {
		return logRestored("cursor", other)
	}
	if err := r.acceptMoments(parameters); err != nil {
		return err
	}
	if r.of == "" {
		return nil
	}
	if cursor != "" {
		parameters.Set("cursor", cursor)
	}
	request.URL.RawQuery = parameters.Encode()
	return nil
}

// acceptMoments does the same for moments that are positions.
func (r incarnate) acceptMoments(parameters url.Values) error {
	for _, name := range momentParameters {
		position, err := r.of.Parse(parameters.Get(name))
		if other, ok := errors.AsType[*eventlog.OtherLogError](err); ok {
			return logRestored(name, other)
		}
		if err == nil && !position.IsZero() {
			parameters.Set(name, position.String())
		}
	}
	return nil
}

func logRestored(what string, err *eventlog.OtherLogError) error {
	return problem.New(problem.LogRestored, what+" is not of this log: "+err.Error()+".")
}
