package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/service"
)

// Server is one HTTP server for the services of a process: each adds its routes and what it needs to be ready. A
// service that runs alone makes one for itself.
type Server struct {
	server *httpapi.Server
	keys   *access.Keys

	mu     sync.Mutex
	checks []func() error
	status map[string]func() any
}

// NewServer returns a server without routes but health. It is ready when every check is, and with keys once they are
// read: somebody else runs those. What the configuration has of readiness and status is not used.
func NewServer(cfg httpapi.Config) (*Server, error) {
	s := &Server{status: map[string]func() any{}, keys: cfg.Keys}
	cfg.Ready, cfg.Status = s.Ready, s.Status
	server, err := httpapi.NewServer(cfg)
	if err != nil {
		return nil, err
	}
	s.server = server
	if s.keys != nil {
		s.AddCheck(s.keys.Ready)
	}
	return s, nil
}

// NewAdmin returns a function that serves metrics and profiles until its context is done. It calls ready with the
// address that it got.
func NewAdmin(
	logger *slog.Logger, listen string, tls httpapi.TLS, metrics prometheus.Gatherer, ready func(address string),
) (func(context.Context) error, error) {
	admin, err := httpapi.NewAdminServer(httpapi.Config{
		Logger: logger, Hosts: httpapi.HostsOf(listen, nil), TLS: tls,
	}, metrics)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := admin.Run(ctx, listen, ready); err != nil {
			return fmt.Errorf("--admin-listen: %w", err)
		}
		return nil
	}, nil
}

// Router is where routes are registered; only before Run.
func (s *Server) Router() httpapi.Router { return s.server.Router() }

// Keys are those that requests need; nil: access is off.
func (s *Server) Keys() *access.Keys { return s.keys }

// AddCheck adds what must be nil for the process to be ready.
func (s *Server) AddCheck(check func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, check)
}

// AddStatus adds a member to what /readyz shows.
func (s *Server) AddStatus(member string, value func() any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[member] = value
}

// Status is what /readyz shows, by member.
func (s *Server) Status() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]any{}
	for member, value := range s.status {
		all[member] = value()
	}
	return all
}

// Ready is nil when every check is.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.checks))
	for _, check := range s.checks {
		errs = append(errs, check())
	}
	return errors.Join(errs...)
}

// permanent is an error that time does not heal: a shard, or a view, has stopped at a record that it cannot read.
type permanent interface {
	error
	Permanent()
}

// Faults is nil unless something has stopped for good. Other reasons for not being ready pass.
func (s *Server) Faults() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, check := range s.checks {
		err := check()
		if _, ok := errors.AsType[permanent](err); ok {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run listens and serves until ctx is done and the requests under way are answered.
func (s *Server) Run(ctx context.Context, address string, ready func(address string)) error {
	return s.server.Run(ctx, address, ready)
}

// HTTP returns the server that the service adds its routes to, and a function that serves until ctx is done. On a
// server that several services share, which somebody else runs, that function says that the routes are there and waits.
func (s *Service) HTTP() (*Server, func(ctx context.Context) error, error) {
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
	keys, err := s.openKeys()
	if err != nil {
		return nil, nil, err
	}
	own, err := NewServer(httpapi.Config{
		Logger: s.Logger, Registerer: s.Registry, Tracer: s.Tracer, Keys: keys,
		Hosts: httpapi.HostsOf(s.Listen, s.AllowedHosts), TLS: s.TLS,
	})
	if err != nil {
		return nil, nil, err
	}
	work := []func(context.Context) error{func(ctx context.Context) error { return own.Run(ctx, s.Listen, ready) }}
	if keys != nil {
		work = append([]func(context.Context) error{keys.Run}, work...)
	}
	return own, func(ctx context.Context) error { return service.Run(ctx, work...) }, nil
}
