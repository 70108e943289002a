package queries

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Parameters that ask for a moment of the past.
const (
	asOfParameter  = "as_of"
	fromParameter  = "from"
	toParameter    = "to"
	clockParameter = "clock"
)

// momentParameters are the parameters that may be positions.
var momentParameters = []string{asOfParameter, fromParameter, toParameter, afterParameter}

// The clocks.
const (
	recordedClock = "recorded"
	occurredClock = "occurred"
)

// momentOf reads the moment of an answer that takes no other parameter.
func momentOf(c echo.Context) (asof.Moment, error) {
	if c.Request().URL.RawQuery == "" {
		return asof.Moment{}, nil
	}
	parameters := c.QueryParams()
	if err := onlyParameters(parameters, asOfParameter, clockParameter); err != nil {
		return asof.Moment{}, err
	}
	return parseMoment(parameters)
}

// parseMoment reads as_of and clock.
func parseMoment(parameters url.Values) (m asof.Moment, err error) {
	if parameters.Get(asOfParameter) == "" && parameters.Has(clockParameter) {
		return m, badParameter("clock needs as_of, " + whatMomentsAre)
	}
	return momentIn(parameters, asOfParameter)
}

const whatMomentsAre = "which is a time with its zone, such as 2026-11-30T16:00:00Z, or a Holdfast-Position."

// momentIn reads a parameter that is a moment, by the clock of the query. Without it the moment is now.
func momentIn(parameters url.Values, name string) (m asof.Moment, err error) {
	text, clock := parameters.Get(name), parameters.Get(clockParameter)
	switch {
	case parameters.Has(clockParameter) && clock != recordedClock && clock != occurredClock:
		return m, badParameter("clock must be recorded or occurred.")
	case text == "" && parameters.Has(name):
		return m, badParameter(name + " is empty; leave it out, or give it a moment, " + whatMomentsAre)
	case text == "":
		return m, nil
	}
	m.Occurred = clock == occurredClock
	// A + that is not written as %2B comes as a space.
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "+", 1))
	if err == nil {
		if time.Until(at) > limits.MaxFuture {
			return m, badParameter(name + " lies in the future. Leave it out to ask for now.")
		}
		if m.Micros = at.UnixMicro(); m.Micros == 0 {
			m.Micros = 1 // the zero Moment is now; what is of the first microsecond of 1970 counts
		}
		return m, nil
	}
	if m.Position, err = eventlog.ParsePosition(text); err != nil || m.Position.IsZero() {
		return m, badParameter(name + " is no moment, " + whatMomentsAre)
	}
	if m.Occurred {
		return m, badParameter("A position is a place in the log, where events are as they were recorded: " +
			"clock=occurred needs a time.")
	}
	return m, nil
}

// waitForPlace waits until the view has a position. One that the log does not have is refused.
func waitForPlace(ctx context.Context, view place, position eventlog.Position, of eventlog.Incarnation) error {
	err := waitFor(ctx, view, position, of)
	if err != nil && view.Age() < MaxPositionWait { // the view has been at the log's end meanwhile
		return problem.New(problem.PositionAhead, "The position lies behind the end of the log, which is at "+
			of.Text(view.Reached())+".")
	}
	return err
}

// momentGrace is how long after a time events of it may still come into the log. Answers do not wait for these.
const momentGrace = time.Second

// freshList is freshAt for a list, from which nobody sees what the view lacks.
func freshList(c echo.Context, view View, of eventlog.Incarnation, m *asof.Moment) error {
	if m.IsNow() {
		if err := whole(view); err != nil {
			return err
		}
	}
	return freshAt(c, view, of, m)
}

// freshAt is fresh for an answer of a moment: what is of the moment must be in the view. A view that begins, or that is
// late, would answer without it.
func freshAt(c echo.Context, view View, of eventlog.Incarnation, m *asof.Moment) error {
	if m.ByPosition() {
		if err := waitForPlace(c.Request().Context(), view, m.Position, of); err != nil {
			return err
		}
	} else if !m.IsNow() {
		ctx, cancel := context.WithTimeout(c.Request().Context(), MaxPositionWait)
		defer cancel()
		at := time.UnixMicro(min(m.Micros, time.Now().UnixMicro())).Add(-momentGrace)
		if err := view.WaitForTime(ctx, at); err != nil {
			return notReached(view, of, "moment")
		}
	}
	return fresh(c, view, of)
}
