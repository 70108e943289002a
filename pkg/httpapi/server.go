// Package httpapi is the HTTP server: limits, timeouts, bodies, headers, problems, health and the admin port. It and
// the two packages below it are the only importers of echo.
//
// Routes stand below: commands (the write side) and queries (the read side), so that a service links one of them. What
// a body means, what is decided and what a view has come in as dependencies of those.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Limits of the server. Those of bodies stand in package input.
const (
	MaxHeaderBytes = 64 << 10
	HeaderTimeout  = 5 * time.Second
	BodyTimeout    = 10 * time.Second
	IdleTimeout    = 2 * time.Minute
	// MaxWait bounds how long a request may wait for its command's outcome.
	MaxWait           = 60 * time.Second
	WriteTimeout      = MaxWait + 30*time.Second
	DefaultStopPeriod = 10 * time.Second
)

// Config is what a Server needs.
type Config struct {
	// Logger; nil: slog.Default().
	Logger *slog.Logger
	// Registerer takes the HTTP metrics; nil: none are registered.
	Registerer prometheus.Registerer
	// Tracer makes a span of each request; nil: nobody traces.
	Tracer *tracing.Tracer
	// Ready says why the process cannot serve; nil func or nil error: ready. Joined errors are listed one by one.
	// An error with the method Partial leaves a part of what the process serves.
	Ready func() error
	// Status is what /readyz shows beside its status, by member; nil: nothing.
	Status func() map[string]any
	// Keys are those that requests need; nil: everybody may do everything who reaches the server.
	Keys *access.Keys
	// Hosts are the names under which clients reach the server (HostsOf); none, or AnyHost among them: any.
	Hosts []string
	// TLS encrypts; without files nothing is encrypted.
	TLS TLS
	// StopPeriod bounds the graceful stop; 0: DefaultStopPeriod.
	StopPeriod time.Duration
}

// Router is where routes are registered: a Server's Router, or a group of it.
type Router interface {
	Add(method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) *echo.Route
}

// Server serves the routes that are registered on its Router.
type Server struct {
	config   Config
	echo     *echo.Echo
	metrics  *metrics
	stopping chan struct{}
}

// NewServer returns a server with /healthz and /readyz; it does not listen yet.
func NewServer(config Config) (*Server, error) {
	s, err := newServer(config)
	if err != nil {
		return nil, err
	}
	s.registerHealth()
	return s, nil
}

// newServer returns a server without routes.
func newServer(config Config) (*Server, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.StopPeriod == 0 {
		config.StopPeriod = DefaultStopPeriod
	}
	m, err := newMetrics(config.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register HTTP metrics: %w", err)
	}
	s := &Server{config: config, echo: echo.New(), metrics: m, stopping: make(chan struct{})}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.answerError
	s.echo.Use(s.observe, s.guard)
	return s, nil
}

// Router is where commands and queries are registered. A route needs a row in the table of package access: without one
// nobody would know who may use it, and Add panics.
func (s *Server) Router() Router { return guardedRouter{headRouter{s.echo}, s.config.Keys} }

// AnswerRest answers all requests that have no route with an error, instead of 404: those of a service that does not
// serve yet.
func (s *Server) AnswerRest(answer func() error) {
	s.echo.RouteNotFound("/*", func(echo.Context) error { return answer() })
}

// headRouter answers HEAD wherever it answers GET, as RFC 9110 asks: the same without a body.
type headRouter struct{ *echo.Echo }

// Add implements Router.
func (r headRouter) Add(
	method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc,
) *echo.Route {
	if method == http.MethodGet {
		r.Echo.Add(http.MethodHead, path, handler, middleware...)
	}
	return r.Echo.Add(method, path, handler, middleware...)
}

// Handler serves the routes without a listener, for tests and for mounting elsewhere.
func (s *Server) Handler() http.Handler { return s.echo }

// Run listens on address, calls ready with the address that it got, and serves until ctx is done. Then it
// takes no new requests, lets those under way finish within the stop period, and returns.
func (s *Server) Run(ctx context.Context, address string, ready func(address string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	if listener, err = s.config.TLS.over(listener, s.config.Logger); err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.echo,
		ReadHeaderTimeout: HeaderTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stoppingKey{}, s.stopping)
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr().String())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	return s.stop(server)
}

func (s *Server) stop(server *http.Server) error {
	close(s.stopping)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.StopPeriod)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.config.Logger.Warn("requests cut off at stop", "after", s.config.StopPeriod, "error", err)
		if err := server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("close HTTP: %w", err)
		}
	}
	return nil
}

// stoppingKey finds the channel that closes when the server begins to stop: long streams end on it.
type stoppingKey struct{}

// Stopping closes when the server of a request begins to stop.
func Stopping(ctx context.Context) <-chan struct{} {
	stopping, _ := ctx.Value(stoppingKey{}).(chan struct{})
	return stopping
}
