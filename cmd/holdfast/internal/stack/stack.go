// Package stack runs the whole platform in this process: broker, ClickHouse, the services, and one port for the API.
// holdfast dev, demo and bench use it. It wires the packages that the services' own binaries run, and decides nothing.
package stack

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// stackStartTimeout bounds the wait until an embedded platform is ready. Where its caches are gone, the whole log is
// read in it, about a million orders in 45 s.
const stackStartTimeout = 10 * time.Minute

// engineNice lets the embedded ClickHouse give way to the rest of the platform, which is in this process: a report may
// take longer while orders come in as fast as they can.
const engineNice = 10

// stackPoll is how often a starting platform is asked whether it is ready, and faultPoll how often one that is up
// whether a part of it has stopped. waitingEvery is how often a start that takes long says what it waits for.
const (
	stackPoll    = 5 * time.Millisecond
	waitingEvery = 200 * time.Millisecond
	faultPoll    = time.Second
)

// maxUntoldFaults wait for somebody who listens; what comes beyond is in the log alone.
const maxUntoldFaults = 16

// Config says how to run the whole platform in this process.
type Config struct {
	// Dir keeps the log, the checkpoints and the views between runs.
	Dir string
	// Listen is the API's address; port 0 takes a free one.
	Listen string
	// AdminListen is the address of metrics and profiles; empty: nowhere. With several replicas of order-api these are
	// the metrics of the first.
	AdminListen string
	// AllowedHosts are names under which the API is reached, besides those of this machine and that of Listen.
	AllowedHosts []string
	// Log reaches the brokers of a real cluster, and names the platform there. Without Seeds: an embedded broker on
	// KafkaListen, with its data in Dir.
	Log         eventlog.Config
	KafkaListen string
	// ClickHouse is the address of a real one. EmbeddedClickHouse: one in a process of this program on ClickHouseListen,
	// with its data in Dir. Empty: the same, and none on machines that it does not exist for. NoClickHouse: none; there
	// are no reports then.
	ClickHouse       string
	ClickHouseListen string
	// Shards and Partitions matter when the platform is created. 0: the defaults.
	Shards, Partitions int32
	PaymentWindow      time.Duration
	// Rounding is that of orders which do not say theirs, order or line; empty: by order.
	Rounding string
	// TimeZone is that of days and months in reports; empty: UTC.
	TimeZone string
	// Access says whether requests to the API need keys; empty: they do not.
	Access access.Mode
	// Replicas of order-api; 0: one. The first is on Listen with everything else, each other has an address of its own.
	Replicas int
	// Waiting is told now and then, from the goroutine of Start, what the start still waits for; nil: nobody is.
	Waiting func(reason error)
	// Logger; nil: nothing is logged.
	Logger *slog.Logger

	startEngine func(context.Context, chdb.Options) (*chdb.Server, error) // nil: chdb.Start
}

// NoClickHouse is the address of no ClickHouse, EmbeddedClickHouse that of one that must be there.
const (
	NoClickHouse       = "off"
	EmbeddedClickHouse = "embedded"
)

// Stack is the whole platform in this process: broker, write side, views, and one port for the API.
type Stack struct {
	cfg    Config
	kafka  *devstack.Kafka
	log    eventlog.Config
	layout eventlog.Layout
	engine *chdb.Server // the embedded ClickHouse
	// clickHouse is where ClickHouse is; empty: there is none.
	clickHouse string
	notice     string
	address    string
	tracer     *tracing.Tracer // nil: nobody traces
	admin      string          // where metrics and profiles are; empty: nowhere
	failed     chan error
	faults     chan error
	stop       context.CancelFunc
	done       sync.WaitGroup

	// stopServer ends the API before the services behind it.
	stopServer context.CancelFunc
	serverDone chan struct{}
	closing    sync.Once

	mu       sync.Mutex
	errs     []error
	nodes    []*shard.Replica // of the order-api replicas
	replicas []string         // URLs of those beyond the first
}

// Start starts the platform and returns when it is ready. ctx bounds the start only; Close stops it.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	service.Tune()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.startEngine == nil {
		cfg.startEngine = chdb.Start
	}
	if cfg.Shards == 0 {
		cfg.Shards = run.DefaultShards
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = run.DefaultPartitions
	}
	s := &Stack{cfg: cfg, log: cfg.Log, failed: make(chan error, 1), faults: make(chan error, maxUntoldFaults),
		serverDone: make(chan struct{})}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	serving, stopServer := context.WithCancel(background)
	s.stop, s.stopServer = stop, stopServer
	s.done.Go(func() { service.GiveMemoryBack(background) })
	// The first time, the engine is fetched: how long that takes is not ours to bound.
	if err := s.startClickHouse(ctx, background); err != nil {
		close(s.serverDone)
		return nil, errors.Join(err, s.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, stackStartTimeout)
	defer cancel()
	if err := s.start(ctx, background, serving); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is where the API listens.
func (s *Stack) URL() string { return "http://" + s.address }

// CommandURLs are where commands are taken: an address for each replica of order-api.
func (s *Stack) CommandURLs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{s.URL()}, s.replicas...)
}

// AdminURL is where metrics and profiles are; empty: nowhere.
func (s *Stack) AdminURL() string {
	if s.admin == "" {
		return ""
	}
	return "http://" + s.admin
}

// KafkaSeeds are the brokers' addresses.
func (s *Stack) KafkaSeeds() []string { return s.log.Seeds }

// Layout is the platform's own: of one that was there before, not what was asked for.
func (s *Stack) Layout() eventlog.Layout { return s.layout }

// Log is how another client reads what the platform writes.
func (s *Stack) Log() eventlog.Config { return s.log }

// Failed tells of a service that ended by itself; the platform is of no use then.
func (s *Stack) Failed() <-chan error { return s.failed }

// Faults tells of what has stopped for good while the rest goes on, such as a shard before an event that it cannot
// read.
func (s *Stack) Faults() <-chan error { return s.faults }

// KafkaDir is where a stack with its data in dir has the log of its embedded broker.
func KafkaDir(dir string) string { return filepath.Join(dir, "kafka") }

func (s *Stack) start(ctx, background, serving context.Context) error {
	if len(s.log.Seeds) == 0 {
		kafka, err := devstack.StartKafka(ctx, devstack.KafkaOptions{
			Dir: KafkaDir(s.cfg.Dir), Listen: s.cfg.KafkaListen, Logger: s.cfg.Logger,
		})
		if err != nil {
			close(s.serverDone)
			return err
		}
		s.kafka, s.log.Seeds, s.log.Embedded = kafka, kafka.Addrs(), true
	}
	err := s.ensurePlatform(ctx)
	if err != nil {
		close(s.serverDone)
		return err
	}
	registry := service.Registry()
	s.tracer, err = tracing.Start(ctx, tracing.Config{
		Service: "holdfast", Version: service.Version(), Logger: s.cfg.Logger,
	})
	if err != nil {
		close(s.serverDone)
		return err
	}
	server, err := s.newServer(background, registry)
	if err != nil {
		close(s.serverDone)
		return err
	}
	if err := s.startServices(ctx, background, s.services(server, registry)); err != nil {
		close(s.serverDone)
		return err
	}
	if err := s.listenAdmin(ctx, background, registry); err != nil {
		close(s.serverDone)
		return err
	}
	if err := s.listen(ctx, serving, server); err != nil {
		return err
	}
	if err := s.waitReady(ctx, server); err != nil {
		return err
	}
	s.done.Go(func() { s.watchFaults(background, server) })
	return nil
}

// newServer returns the API's server. With access by key it begins to follow the keys.
func (s *Stack) newServer(background context.Context, registry prometheus.Registerer) (*run.Server, error) {
	var keys *access.Keys
	if s.cfg.Access == access.ByKey {
		cfg := s.eventLog("api")
		cfg.Registerer = registry
		var err error
		if keys, err = access.Open(cfg); err != nil {
			return nil, err
		}
		s.done.Go(func() { s.report(background, "keys", keys.Run(background)) })
	}
	return run.NewServer(httpapi.Config{
		Logger: s.cfg.Logger, Registerer: registry, Tracer: s.tracer, Keys: keys,
		Hosts: httpapi.LocalHosts(s.cfg.Listen, s.cfg.AllowedHosts...),
	})
}

// ensurePlatform creates the platform, or finds the one that is there.
func (s *Stack) ensurePlatform(ctx context.Context) error {
	client, err := eventlog.Open(s.eventLog("stack"))
	if err != nil {
		return err
	}
	defer client.Close()
	s.layout, err = client.EnsurePlatform(ctx, eventlog.NewLayout(s.cfg.Partitions, s.cfg.Shards))
	return err
}

// ClickHouse is the address of ClickHouse; empty: there is none.
func (s *Stack) ClickHouse() string { return s.clickHouse }

// EnginePID is the process of the embedded ClickHouse; 0: there is none.
func (s *Stack) EnginePID() int {
	if s.engine == nil {
		return 0
	}
	return s.engine.PID()
}

// Notice is what a user should know of how the platform runs; empty: nothing.
func (s *Stack) Notice() string { return s.notice }

func (s *Stack) eventLog(name string) eventlog.Config {
	cfg := s.log
	cfg.ClientID, cfg.Logger, cfg.TraceHeaders = name, s.cfg.Logger, s.tracer != nil
	return cfg
}

// listen starts the API's server.
func (s *Stack) listen(ctx, serving context.Context, server *run.Server) error {
	listening := make(chan string, 1)
	go func() {
		defer close(s.serverDone)
		s.report(serving, "api", server.Run(serving, s.cfg.Listen, func(address string) { listening <- address }))
	}()
	select {
	case s.address = <-listening:
		return nil
	case <-s.serverDone:
		return s.takeErrors()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listenAdmin starts the server for operators, which ends with the services.
func (s *Stack) listenAdmin(ctx, background context.Context, metrics prometheus.Gatherer) error {
	if s.cfg.AdminListen == "" {
		return nil
	}
	listening, ended := make(chan string, 1), make(chan struct{})
	serve, err := run.NewAdmin(s.cfg.Logger, s.cfg.AdminListen, httpapi.TLS{}, metrics,
		func(address string) { listening <- address })
	if err != nil {
		return err
	}
	s.done.Go(func() {
		defer close(ended)
		s.report(background, "metrics", serve(background))
	})
	select {
	case s.admin = <-listening:
		return nil
	case <-ended:
		return s.takeErrors()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close stops the API, then the services, then the broker, and returns what went wrong while they stopped.
func (s *Stack) Close() error {
	s.closing.Do(func() {
		s.stopServer()
		<-s.serverDone
		s.stop()
		s.done.Wait()
		s.tracer.Close(context.Background())
		if s.engine != nil {
			s.engine.Close()
		}
		if s.kafka != nil {
			s.kafka.Close()
		}
	})
	return s.takeErrors()
}
