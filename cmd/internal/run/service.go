// Package run starts Holdfast's services. It has what they all need of a process; each service has a package of its own
// below, so that a binary links what it needs and nothing else. It wires, and decides nothing.
package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	_ "golang.org/x/crypto/x509roots/fallback" // images have no certificates of authorities

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Defaults of a platform that is created.
const (
	DefaultPartitions = 12
	DefaultShards     = 1
)

// Service is what every service needs of the process that it runs in.
type Service struct {
	// Log reaches the brokers.
	Log eventlog.Config
	// Layout is that of a platform which this process creates; an existing one keeps its own.
	Layout eventlog.Layout
	// Listen is the address of HTTP; not used when Server is set.
	Listen string
	// AllowedHosts are the names under which clients reach it (httpapi.HostsOf).
	AllowedHosts []string
	// TLS encrypts HTTP at Listen; not used when Server is set.
	TLS httpapi.TLS
	// Access says whether requests need keys; empty: the service has no API. Not used when Server is set.
	Access access.Mode
	Logger *slog.Logger
	// Tracer traces the service; nil: nobody does.
	Tracer *tracing.Tracer
	// Registry takes the service's metrics.
	Registry prometheus.Registerer
	// Server is shared with other services, and somebody else runs it; nil: a server of its own.
	Server *Server
	// Ready is called with the HTTP address once it listens, or with "" once the routes are on the shared server.
	Ready func(address string)
}

// Program is the process of one service.
type Program struct {
	Name string
	// Flags adds the service's own settings to those of all; nil: it has none.
	Flags func(*flag.FlagSet)
	// Validate says what is wrong with settings that each are right, before anything is started or reached; nil: nothing
	// can be.
	Validate func(Service) error
	// Run runs the service until it ends or ctx is done.
	Run func(context.Context, Service) error
	// Check reaches what the service needs besides the brokers, and changes nothing; nil: it needs nothing else.
	Check func(context.Context) error
	// Jobs are programs that do one thing, end, and serve nothing. The first argument is the name of one.
	Jobs map[string]Program
	// Arguments takes what stands before or behind the flags; nil: there may be nothing.
	Arguments func([]string) error
	// Help is what --help prints before the settings: whole lines.
	Help string

	job bool // one of another program's Jobs
}

// Main reads the settings and runs the program until it ends or the process is told to. With --check it reaches what
// the program needs, with --ready it asks the one that runs, with --version it says which it is, and runs nothing.
func Main(p Program) {
	service.Main(p.Name, func(ctx context.Context) error { return p.Start(ctx, os.Args[1:]) })
}

// Start reads the settings from the arguments, and does what they say.
func (p *Program) Start(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if job, ok := p.Jobs[args[0]]; ok {
			job.job = true
			return job.Start(ctx, args[1:])
		}
	}
	var c service.Common
	fs := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	c.Register(fs)
	if p.Flags != nil {
		p.Flags(fs)
	}
	arguments, err := p.parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if c.Version {
		fmt.Println(p.Name, service.Version())
		return nil
	}
	if c.Ready && err == nil {
		return Ready(ctx, c.Listen, httpapi.TLS(c.TLS))
	}
	log, logging := service.Logger(os.Stderr, c.LogLevel)
	reg := service.Registry()
	build := service.Build()
	log.Info("starting", "program", p.Name, "version", build.Version, "commit", build.Commit,
		"go_version", build.GoVersion)
	s := Service{
		Log: c.Log(p.Name, log, reg), Layout: c.Layout(), Listen: c.Listen, AllowedHosts: c.Hosts(),
		TLS:    httpapi.TLS(c.TLS),
		Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	}
	// All that is wrong is told at once.
	err = service.JoinSettings(err, p.take(arguments), logging, c.Validate(), s.TLS.Check(), p.validate(s))
	if err != nil {
		return err
	}
	if !c.Check {
		return p.serve(ctx, s, &c, reg)
	}
	err = Check(ctx, s.Log)
	if p.Check != nil {
		err = errors.Join(err, p.Check(ctx))
	}
	return err
}

// serve runs the program, traced where a collector is named.
func (p *Program) serve(ctx context.Context, s Service, c *service.Common, metrics prometheus.Gatherer) error {
	var err error
	if s.Tracer, err = tracing.Start(ctx, tracing.Config{
		Service: p.Name, Version: service.Version(), Endpoint: c.OTLPEndpoint, Logger: s.Logger,
	}); err != nil {
		return err
	}
	s.Log.TraceHeaders = s.Tracer != nil
	defer s.Tracer.Close(ctx)
	defer context.AfterFunc(ctx, func() { s.Logger.Info("stopping; what is under way is finished first") })()
	if p.job || c.AdminListen == service.AdminOff {
		return p.run(ctx, s)
	}
	return p.withAdmin(ctx, s, c.AdminListen, metrics)
}

// withAdmin runs the program with the server for operators beside it, which ends after it.
func (p *Program) withAdmin(ctx context.Context, s Service, listen string, metrics prometheus.Gatherer) error {
	admin, err := NewAdmin(s.Logger, listen, s.TLS, metrics, func(address string) {
		s.Logger.Info("metrics and profiles are served", "address", address)
	})
	if err != nil {
		return err
	}
	ctx, ended := context.WithCancel(ctx)
	defer ended()
	return service.Run(ctx, admin, func(ctx context.Context) error {
		defer ended()
		return p.run(ctx, s)
	})
}

// run runs the program once a broker answers.
func (p *Program) run(ctx context.Context, s Service) error {
	if err := awaitBrokers(ctx, s, !p.job); err != nil {
		return err
	}
	return p.Run(ctx, s)
}

// parse reads flags, and returns the arguments before and behind them.
func (p *Program) parse(fs *flag.FlagSet, args []string) (arguments []string, err error) {
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		arguments, args = append(arguments, args[0]), args[1:]
	}
	err = service.Parse(fs, p.Help, args)
	return append(arguments, fs.Args()...), err
}

// validate says what is wrong with the program's own settings.
func (p *Program) validate(s Service) error {
	if p.Validate == nil {
		return nil
	}
	return p.Validate(s)
}

// take gives the arguments to the program.
func (p *Program) take(arguments []string) error {
	switch {
	case p.Arguments != nil:
		return p.Arguments(arguments)
	case len(arguments) > 0:
		return fmt.Errorf("%q is no setting: all of them begin with --", arguments[0])
	}
	return nil
}
