package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/verify"
)

// Defaults of the auditor.
const (
	auditorListen = "127.0.0.1:8086"
	auditorDir    = ".local/auditor"
	// platformPause is between two looks for a platform that is not there yet.
	platformPause = time.Second
)

// auditorFlags are the settings of verify --follow. Like those of services they may be in the environment.
type auditorFlags struct {
	follow, askReady      bool
	listen, dir, logLevel string
	adminListen           string
	grace, overdueAfter   time.Duration
	tls                   service.TLS
	set                   *flag.FlagSet
}

func (f *auditorFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.follow, "follow", false, "check each record as it comes, until stopped")
	c.Flags().BoolVar(&f.askReady, "ready", false,
		"with --follow: ask the auditor that runs whether it is ready, for health checks of containers")
	f.set = flag.NewFlagSet(c.Name(), flag.ContinueOnError)
	f.set.StringVar(&f.dir, "data-dir", auditorDir,
		"`FOLDER` of what the auditor knows; when it is deleted, the log is read from its start again")
	f.set.StringVar(&f.listen, "listen", auditorListen, "`HOST:PORT` of the auditor's /healthz and /readyz")
	f.set.StringVar(&f.adminListen, "admin-listen", service.DefaultAdminListen,
		"`HOST:PORT` of the auditor's metrics (/metrics) and profiles (/debug/pprof/), or off")
	f.tls.Register(f.set)
	f.set.StringVar(&f.logLevel, "log-level", "info", "`LEVEL` of the auditor's log: debug, info, warn or error")
	f.set.DurationVar(&f.grace, "grace", verify.DefaultGrace, "how long an order and its stock, or a SKU and its row, "+
		"may differ while the auditor reads on; whole seconds, 2 s at least")
	f.set.DurationVar(&f.overdueAfter, "overdue-after", verify.DefaultOverdueAfter,
		"after how long an order that waits for stock of another shard is counted as overdue")
	f.set.VisitAll(func(setting *flag.Flag) {
		setting.Usage = "with --follow: " + setting.Usage + " (" + service.Variable(setting.Name) + ")"
	})
	c.Flags().AddGoFlagSet(f.set)
}

// notFollowed are the flags of a verification that reads the whole log and ends.
var notFollowed = []string{"acks", "clickhouse", "examples", "output", "settled", "view-wait"}

// refuse refuses the auditor's flags without --follow.
func (f *auditorFlags) refuse(c *cobra.Command) (err error) {
	if f.askReady {
		return errors.New("--ready asks the auditor: add --follow")
	}
	f.set.VisitAll(func(setting *flag.Flag) {
		if err == nil && c.Flags().Changed(setting.Name) {
			err = fmt.Errorf("--%s is a setting of the auditor: add --follow, or leave it out", setting.Name)
		}
	})
	return err
}

// check checks the settings.
func (f *auditorFlags) check(c *cobra.Command) error {
	var errs []error
	for _, name := range notFollowed {
		if c.Flags().Changed(name) {
			errs = append(errs, fmt.Errorf("--%s is of a verification that ends: leave it out, or leave out --follow", name))
		}
	}
	errs = append(errs, fromEnvironment(c, f.set), httpapi.TLS(f.tls).Check())
	if f.grace < 2*time.Second {
		errs = append(errs, fmt.Errorf("--grace %s is less than 2s", f.grace))
	}
	if f.overdueAfter < f.grace {
		errs = append(errs, fmt.Errorf("--overdue-after %s is less than --grace %s", f.overdueAfter, f.grace))
	}
	return errors.Join(errs...)
}

// run runs the auditor until it is stopped.
func (f *auditorFlags) run(c *cobra.Command, where *logFlags) error {
	if err := f.check(c); err != nil {
		return err
	}
	if f.askReady {
		return run.Ready(c.Context(), f.listen, httpapi.TLS(f.tls))
	}
	cfg, err := where.config(c)
	if err != nil {
		return err
	}
	logger, err := service.Logger(os.Stderr, f.logLevel)
	if err != nil {
		return err
	}
	service.Tune()
	go service.GiveMemoryBack(c.Context())
	registry := service.Registry()
	cfg.ClientID, cfg.Logger, cfg.Registerer = "auditor", logger, registry
	client, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	platform := service.Platform{Env: cfg.Env, TopicPrefix: cfg.TopicPrefix}
	if err := service.PlatformFolder(f.dir, platform); err != nil {
		return err
	}
	server, err := run.NewServer(httpapi.Config{
		Logger: logger, Registerer: registry, Hosts: httpapi.HostsOf(f.listen, nil), TLS: httpapi.TLS(f.tls),
	})
	if err != nil {
		return err
	}
	a := &auditing{auditorFlags: f, client: client, logger: logger, registry: registry, server: server,
		brokers: run.NewBrokerWait(client, logger), platform: platform}
	server.AddCheck(a.ready)
	work := []func(context.Context) error{a.run, func(ctx context.Context) error {
		return server.Run(ctx, f.listen, func(address string) { logger.Info("listening", "address", address) })
	}}
	if f.adminListen != service.AdminOff {
		admin, err := run.NewAdmin(logger, f.adminListen, httpapi.TLS(f.tls), registry, func(address string) {
			logger.Info("metrics and profiles are served", "address", address)
		})
		if err != nil {
			return err
		}
		work = append([]func(context.Context) error{admin}, work...)
	}
	return service.Run(c.Context(), work...)
}

// auditing is an auditor that runs.
type auditing struct {
	*auditorFlags
	client   *eventlog.Client
	logger   *slog.Logger
	registry *prometheus.Registry
	server   *run.Server
	brokers  *run.BrokerWait
	platform service.Platform
	auditor  atomic.Pointer[verify.Auditor] // nil: there is no platform yet
}

var errNoPlatform = errors.New("it waits for the platform: its topics are not there")

// ready is nil once the auditor has all that was in the log at its start.
func (a *auditing) ready() error {
	if auditor := a.auditor.Load(); auditor != nil {
		return auditor.Ready()
	}
	return cmp.Or(a.brokers.Err(), errNoPlatform)
}

// run waits for a platform, and follows its log.
func (a *auditing) run(ctx context.Context) (err error) {
	if err := a.brokers.Await(ctx); err != nil {
		return err
	}
	layout, err := a.awaitPlatform(ctx)
	if err != nil {
		return err
	}
	if a.platform.ID, err = a.client.PlatformID(ctx); err != nil {
		return err
	}
	if err := service.PlatformFolder(a.dir, a.platform); err != nil {
		return err
	}
	auditor, err := verify.NewAuditor(verify.AuditorConfig{
		Dir: a.dir, Client: a.client, Layout: layout, Logger: a.logger, Registerer: a.registry,
		Grace: a.grace, OverdueAfter: a.overdueAfter,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, auditor.Close()) }()
	a.server.AddStatus("auditor", auditor.Status)
	a.auditor.Store(auditor)
	return auditor.Run(ctx)
}

// awaitPlatform waits until somebody has created the platform.
func (a *auditing) awaitPlatform(ctx context.Context) (eventlog.Layout, error) {
	said := ""
	for {
		layout, err := a.client.ReadLayout(ctx)
		if err == nil {
			return layout, nil
		}
		if text := err.Error(); text != said && ctx.Err() == nil {
			said = text
			a.logger.Info("waiting for the platform", "why", text)
		}
		if err := backoff.Sleep(ctx, platformPause); err != nil {
			return layout, err
		}
	}
}
