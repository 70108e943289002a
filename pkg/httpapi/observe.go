package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/tracing"
)

// unmatched is the route of requests for which there is none: paths that clients make up are no labels.
const unmatched = "unmatched"

// brokenOffLabel stands for the status of an answer that had begun, and failed before its end.
const brokenOffLabel = "broken_off"

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_http_requests_total",
			Help: "HTTP requests answered, by method and route, and status; broken_off: without an end.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_http_request_duration_seconds",
			Help:    "Time from the request's headers to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"route", "status"}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe is around every request: it recovers panics, answers errors as problems, counts and logs.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		end := s.trace(c)
		err := s.recovered(next, c)
		brokenOff := err != nil && c.Response().Committed
		if err != nil {
			s.answerError(err, c)
		}
		boundUnread(c, err)
		took := time.Since(start)
		route := unmatched
		if !isRouting(err) {
			route = c.Request().Method + " " + c.Path()
		}
		ctx, status := c.Request().Context(), statusLabel(c.Response().Status)
		if brokenOff {
			status = brokenOffLabel
		}
		s.metrics.requests.WithLabelValues(route, status).Inc()
		s.metrics.observe(ctx, route, status, took)
		end(c.Response().Status)
		if s.config.Logger.Enabled(ctx, slog.LevelDebug) {
			s.config.Logger.DebugContext(ctx, "request", "method", c.Request().Method, "path", c.Request().URL.Path,
				"status", c.Response().Status, "bytes", c.Response().Size, "took", took)
		}
		if brokenOff { // the connection ends before the answer does, so that the client cannot take it for whole
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}

// observe notes how long a request took, with its trace if it has one.
func (m *metrics) observe(ctx context.Context, route, status string, took time.Duration) {
	duration := m.duration.WithLabelValues(route, status)
	if id := tracing.ID(ctx); id != "" {
		if with, ok := duration.(prometheus.ExemplarObserver); ok {
			with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": id})
			return
		}
	}
	duration.Observe(took.Seconds())
}

// trace begins the span of a request, which end ends with the answer's status. Health checks are not traced.
func (s *Server) trace(c echo.Context) (end func(status int)) {
	if s.config.Tracer == nil || c.Path() == "/healthz" || c.Path() == "/readyz" {
		return func(int) {}
	}
	route := c.Request().Method
	if c.Path() != "" { // paths that clients make up are no names of spans
		route += " " + c.Path()
	}
	ctx, end := s.config.Tracer.Request(c.Request(), route)
	c.SetRequest(c.Request().WithContext(ctx))
	return end
}

// boundUnread bounds the time for which net/http reads on after a handler that left its body unread.
func boundUnread(c echo.Context, err error) {
	r := c.Request()
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if r.ContentLength == 0 || (err == nil && !reads) {
		return
	}
	_ = http.NewResponseController(c.Response().Writer).SetReadDeadline(time.Now().Add(time.Second))
}

func (s *Server) recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
			panic(v)
		}
		s.config.Logger.ErrorContext(c.Request().Context(), "panic in a request", "panic", v,
			"path", c.Request().URL.Path, "stack", string(debug.Stack()))
		err = errPanic
	}()
	return next(c)
}

// statusLabel spares an allocation for the statuses there are.
func statusLabel(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusCreated:
		return "201"
	case http.StatusConflict:
		return "409"
	}
	return strconv.Itoa(status)
}
