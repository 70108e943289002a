// Package service is what all processes of Holdfast have in common: settings, a logger, metrics, and an orderly start
// and stop. It does not know what a process does.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Registry returns a registry with the metrics of the process and of the Go runtime.
func Registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newBuildInfoCollector(),
	)
	return reg
}

// ExitError is an error that ends the process with an exit status of its own.
type ExitError struct {
	Status int
	Err    error
}

// Error implements error.
func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *ExitError) Unwrap() error { return e.Err }

// statusOf is the exit status of a process that ends with an error.
func statusOf(err error) int {
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Status
	}
	return 1
}

// Main runs a service until it ends, or until SIGINT or SIGTERM ends its context. The exit status is 0 when run returns
// without an error, that of an ExitError, or else 1.
func Main(name string, run func(ctx context.Context) error) {
	Tune()
	PrivateFiles()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go GiveMemoryBack(ctx)
	err := run(ctx)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(statusOf(err))
	}
}

// Run runs the components of a service together, until ctx is done or one of them fails. Then it stops them one after
// the other, the last one first, and waits for each before it stops the next. So the server of requests, which comes
// last, ends before the store that it reads from.
func Run(ctx context.Context, components ...func(ctx context.Context) error) error {
	failed := make(chan struct{}, len(components))
	started := make([]*component, len(components))
	for i, run := range components {
		started[i] = start(ctx, run, failed)
	}
	allEnded := make(chan struct{})
	go func() {
		defer close(allEnded)
		for _, c := range started {
			<-c.ended
		}
	}()
	select {
	case <-ctx.Done():
	case <-failed:
	case <-allEnded:
	}
	var errs []error
	for _, c := range slices.Backward(started) {
		c.stop()
		<-c.ended
		errs = append(errs, c.err)
	}
	return errors.Join(errs...)
}

// component is one of the functions that Run has started.
type component struct {
	stop  context.CancelFunc
	ended chan struct{}
	err   error // set before ended is closed
}

// start runs the function in the background, and sends to failed when it returns an error. The function does not stop
// with ctx, but when its turn has come.
func start(ctx context.Context, run func(context.Context) error, failed chan<- struct{}) *component {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &component{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			c.err = err
			failed <- struct{}{}
		}
	}()
	return c
}
