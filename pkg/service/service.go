// Package service is what every Holdfast process has in common: settings, a logger, metrics, and an
// orderly start and stop. It knows nothing of what the process does.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Logger writes at the named level: lines for people on a terminal, JSON everywhere else.
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	l, err := parseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	options := &slog.HandlerOptions{Level: l}
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(slog.NewTextHandler(w, options)), nil
		}
	}
	return slog.New(slog.NewJSONHandler(w, options)), nil
}

// Registry has the metrics of the process and of the Go runtime.
func Registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return reg
}

// Main runs a service until it ends or the process is told to: exit status 0 after a clean stop.
func Main(name string, run func(ctx context.Context) error) {
	Tune()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// gcPercent trades memory for time: heaps here are small beside what the machine has, and at Go's
// default the collector takes a fifth of the CPU under load.
const gcPercent = 400

// memoryShare of what a container may use is for Go: as the heap comes near to it the collector works harder than gcPercent
// asks for. The rest is for files that the kernel keeps in memory, and for what the collector is late with.
const memoryShare = 0.8

// waitingForFiles are threads that run Go code beyond one for each processor. Whoever reads or writes a file, such as a
// store that saves what it has in memory, keeps a processor of Go's from the rest until the system call returns.
const waitingForFiles = 2

// Tune sets the collector and the scheduler of the process, once, unless GOGC, GOMEMLIMIT (or AUTOMEMLIMIT, for another
// share) and GOMAXPROCS say otherwise. A container whose limits change while it runs keeps what was right when it started.
var Tune = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare)) // where nothing tells of a limit there is none
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + waitingForFiles)
	}
})

// Run runs parts together until ctx is done or one of them ends with an error. Then they stop in reverse
// order, each when the one after it has ended: what serves requests is last, so that it ends before what it
// reads from.
func Run(ctx context.Context, parts ...func(ctx context.Context) error) error {
	var started []*running
	failed := make(chan struct{}, len(parts))
	for _, part := range parts {
		one := &running{ended: make(chan struct{})}
		// A part does not stop with ctx, but in its turn.
		partCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		one.stop = stop
		started = append(started, one)
		go func() {
			defer close(one.ended)
			if err := part(partCtx); err != nil && !errors.Is(err, context.Canceled) {
				one.err = err
				failed <- struct{}{}
			}
		}()
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, one := range started {
			<-one.ended
		}
	}()
	select {
	case <-ctx.Done():
	case <-failed:
	case <-all:
	}
	var errs []error
	for _, one := range slices.Backward(started) {
		one.stop()
		<-one.ended
		errs = append(errs, one.err)
	}
	return errors.Join(errs...)
}

// running is a part that Run has started.
type running struct {
	stop  context.CancelFunc
	ended chan struct{}
	err   error // once it has ended
}
