package run

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/projector"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Shared is one HTTP server for several services of a process. A service alone makes one for itself.
type Shared struct {
	server *httpapi.Server

	mu     sync.Mutex
	checks []func() error
}

// NewShared returns a server without routes but health and metrics.
func NewShared(logger *slog.Logger, registry *prometheus.Registry) (*Shared, error) {
	s := &Shared{}
	server, err := httpapi.NewServer(httpapi.Config{
		Logger: logger, Registerer: registry, Gatherer: registry, Ready: s.Ready,
	})
	if err != nil {
		return nil, err
	}
	s.server = server
	return s, nil
}

// Router is where routes are registered; only before Run.
func (s *Shared) Router() httpapi.Router { return s.server.Router() }

// AddCheck adds what must be nil for the process to be ready.
func (s *Shared) AddCheck(check func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, check)
}

// Ready is nil when every check is.
func (s *Shared) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.checks))
	for _, check := range s.checks {
		errs = append(errs, check())
	}
	return errors.Join(errs...)
}

// Faults is nil unless something has stopped for good: a shard, or a view before a record that it cannot read. Other
// reasons for not being ready pass.
func (s *Shared) Faults() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, check := range s.checks {
		err := check()
		var stopped *shard.StoppedError
		var bad *projector.BadEventError
		if errors.As(err, &stopped) || errors.As(err, &bad) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run listens and serves until ctx is done and the requests under way are answered.
func (s *Shared) Run(ctx context.Context, address string, ready func(address string)) error {
	return s.server.Run(ctx, address, ready)
}

// server is the shared server, or without one a server for this service alone, with what runs it: on a shared
// one, saying that the routes are there and waiting until ctx is done.
func (s *Service) server() (*Shared, func(context.Context) error, error) {
	ready := s.Ready
	if ready == nil {
		ready = func(string) {}
	}
	if s.Server != nil {
		return s.Server, func(ctx context.Context) error {
			ready("")
			<-ctx.Done()
			return nil
		}, nil
	}
	own, err := NewShared(s.Logger, s.Registry)
	if err != nil {
		return nil, nil, err
	}
	return own, func(ctx context.Context) error { return own.Run(ctx, s.Listen, ready) }, nil
}
