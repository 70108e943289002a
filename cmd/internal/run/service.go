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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
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
	Logger       *slog.Logger
	Registry     *prometheus.Registry
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
	// Run runs the service until it ends or ctx is done.
	Run func(context.Context, Service) error
	// Check reaches what the service needs besides the brokers, and changes nothing; nil: it needs nothing else.
	Check func(context.Context) error
}

// Main reads the settings and runs the program until it ends or the process is told to. With --check it reaches what
// the program needs, with --ready it asks the one that runs, with --version it says which it is, and runs nothing.
func Main(p Program) {
	service.Main(p.Name, func(ctx context.Context) error { return p.main(ctx, os.Args[1:]) })
}

func (p *Program) main(ctx context.Context, args []string) error {
	var c service.Common
	fs := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	c.Register(fs)
	if p.Flags != nil {
		p.Flags(fs)
	}
	if err := service.Parse(fs, args); err != nil {
		return err
	}
	if c.Version {
		fmt.Println(p.Name, service.Version())
		return nil
	}
	if c.Ready {
		return Ready(ctx, c.Listen)
	}
	log, err := service.Logger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	reg := service.Registry()
	s := Service{
		Log: c.Log(p.Name, log, reg), Layout: c.Layout(), Listen: c.Listen, AllowedHosts: c.Hosts(),
		Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	}
	if !c.Check {
		defer context.AfterFunc(ctx, func() { log.Info("stopping; requests under way are finished first") })()
		return p.Run(ctx, s)
	}
	err = Check(ctx, s.Log)
	if p.Check != nil {
		err = errors.Join(err, p.Check(ctx))
	}
	return err
}
