package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/cmd/internal/run"
)

func (s *Stack) waitReady(ctx context.Context, server *run.Server) error {
	tick := time.NewTicker(stackPoll)
	defer tick.Stop()
	told := time.Now()
	for {
		err := errors.Join(server.Ready(), s.spread())
		if err == nil {
			return nil
		}
		if s.cfg.Waiting != nil && time.Since(told) > waitingEvery {
			told = time.Now()
			s.cfg.Waiting(err)
		}
		if fault := server.Faults(); fault != nil {
			return fmt.Errorf("the platform cannot become ready: %w", fault)
		}
		select {
		case <-tick.C:
		case failed := <-s.failed:
			return failed
		case <-ctx.Done():
			return fmt.Errorf("the platform did not become ready within %v: %w", stackStartTimeout, err)
		}
	}
}

// watchFaults tells of each fault once.
func (s *Stack) watchFaults(ctx context.Context, server *run.Server) {
	tick := time.NewTicker(faultPoll)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		fault := server.Faults()
		if fault == nil || fault.Error() == told {
			continue
		}
		told = fault.Error()
		select {
		case s.faults <- fault:
		default:
		}
	}
}

// report notes how a service ended. One that ends before it is told to has failed, with or without an error.
func (s *Stack) report(ctx context.Context, name string, err error) {
	early := ctx.Err() == nil
	switch {
	case err == nil && early:
		err = fmt.Errorf("%s ended by itself", name)
	case err == nil, errors.Is(err, context.Canceled) && !early:
		return
	default:
		err = fmt.Errorf("%s: %w", name, err)
	}
	s.cfg.Logger.Error("service ended", "service", name, "error", err)
	if early {
		select {
		case s.failed <- err:
		default:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *Stack) takeErrors() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.errs...)
	s.errs = nil
	return err
}
