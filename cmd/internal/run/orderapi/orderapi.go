// Package orderapi is the service order-api, the write side: it takes commands, decides them, and writes the log.
package orderapi

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/catalog"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/httpapi/commands"
	"github.com/holdfast/holdfast/pkg/httpapi/keys"
	"github.com/holdfast/holdfast/pkg/httpapi/locations"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/pkg/shard"
)

// DefaultStandbyEvery is how often the checkpoints of other replicas' shards follow the log. What comes in three
// seconds is read in a fraction of one.
const DefaultStandbyEvery = 3 * time.Second

// DefaultMaxClockSkew is far more than clocks with NTP are apart, and far less than a deadline of an order.
const DefaultMaxClockSkew = 30 * time.Second

// DefaultRounding rounds all that an order costs together, once.
const DefaultRounding = "order"

// ParseRounding reads the setting; "" is the default.
func ParseRounding(word string) (order.Rounding, error) {
	if word == "" {
		word = DefaultRounding
	}
	rounding, ok := schema.Roundings.Parse(word)
	if !ok {
		return 0, fmt.Errorf("--rounding %s is not known: it is one of %s", word, strings.Join(schema.Roundings.All(), ", "))
	}
	return order.Rounding(rounding), nil
}

// DefaultMaxQueueWait is a while before clients give up, and far more than a shard takes that keeps up.
const DefaultMaxQueueWait = 2 * time.Second

// Requests under way may take a requestShare-th of the process's memory, at most defaultMaxRequests: with more of them
// at once no more are done in a second.
const (
	requestShare       = 8
	defaultMaxRequests = 512 << 20
)

// checkpointShare: the checkpoints of all shards may take half of the process's memory.
const checkpointShare = 2

// stopTimeout bounds how long giving up the shards may take.
const stopTimeout = 15 * time.Second

// Config is what the service needs.
type Config struct {
	run.Service
	// DataDir holds the shards' checkpoints.
	DataDir string
	// PeerListen is where other replicas reach this one: empty, where this machine reaches the brokers; PeersOff,
	// nowhere. PeerAdvertise is what they are told to call; empty: the same.
	PeerListen, PeerAdvertise string
	PeerTLS                   shard.PeerTLS
	PaymentWindow             time.Duration
	// Rounding is how orders are rounded that do not say: DefaultRounding, which stands for "" too, or "line".
	Rounding       string
	SessionTimeout time.Duration
	// StandbyEvery is how often the checkpoints of shards that other replicas serve follow the log; 0: never.
	StandbyEvery time.Duration
	// Standbys is how many other replicas keep such a checkpoint of each shard; 0: shard.DefaultStandbys.
	Standbys int
	// MaxClockSkew is how far the clock may be from the brokers'; 0: they are not compared.
	MaxClockSkew time.Duration
	// MaxQueueWait is how long a command may have to wait for its shard; 0: however long.
	MaxQueueWait time.Duration
	// MaxRequestMiB of memory are for requests under way; 0: a share of what the process has.
	MaxRequestMiB int64
	// Access says who may use the API: access.Modes; empty: everybody.
	Access string
	// Joined is told the node that takes part in the write side; nil: nobody asks.
	Joined func(*shard.Replica)
}

// Run takes commands until ctx is done, finishes those under way, and gives its
// shards up.
func Run(ctx context.Context, cfg Config) (err error) {
	options := command.Options{PaymentWindow: cfg.PaymentWindow}
	peerListen, peerAdvertise, requests, err := cfg.resolve()
	if err == nil {
		options.Rounding, err = ParseRounding(cfg.Rounding)
	}
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	platform := service.Platform{Env: cfg.Log.Env, TopicPrefix: cfg.Log.TopicPrefix}
	if err := service.PlatformFolder(cfg.DataDir, platform); err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	log := cfg.Log
	log.Logger = cfg.Logger
	places, stop, err := follow(ctx, log)
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	defer stop()
	node, err := shard.Start(ctx, shard.Config{
		Log: cfg.Log, Want: cfg.Layout, DataDir: cfg.DataDir,
		Platform: func(id string) error {
			platform.ID = id
			if err := service.PlatformFolder(cfg.DataDir, platform); err != nil {
				return err
			}
			return places.AwaitReady(ctx)
		},
		Places:     places,
		PeerListen: peerListen, Advertise: peerAdvertise, PeerTLS: cfg.PeerTLS,
		SessionTimeout: cfg.SessionTimeout, StandbyEvery: cfg.StandbyEvery, Standbys: cfg.Standbys,
		MaxClockSkew: cfg.MaxClockSkew, MaxQueueWait: cfg.MaxQueueWait, PaymentWindow: cfg.PaymentWindow,
		CheckpointMemory: service.MemoryLimit() / checkpointShare,
		CommandTypes:     commandTypes(), Decode: decoder(options), Logger: cfg.Logger,
		Registerer: cfg.Registry, Tracer: cfg.Tracer,
	})
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if closing := node.Close(stop); closing != nil {
			err = errors.Join(err, fmt.Errorf("order-api: give up the shards: %w", closing))
		}
	}()
	if cfg.Joined != nil {
		cfg.Joined(node)
	}
	options.PartitionsBySKU = node.PartitionsBySKU
	in := cfg.WithAccess(cfg.Access)
	server, serve, err := in.HTTP()
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	server.AddCheck(node.Ready)
	server.AddStatus("shards", func() any { return node.Shards() })
	commands.Register(server.Router(), commands.Deps{
		Submit: node.Submit, SubmitBehind: node.SubmitBehind, Heard: node.Heard, Incarnation: node.Incarnation(),
		Options: options,
		Memory:  httpapi.NewMemory(requests),
		Keys:    server.Keys(),
	})
	keys.Register(server.Router(), server.Keys())
	locations.Register(server.Router(), places)
	return serve(ctx)
}

// follow opens the catalogue, and reads it until stop is called. Its topic need not be there yet.
func follow(ctx context.Context, log eventlog.Config) (places *catalog.Catalog, stop func(), err error) {
	if places, err = catalog.Open(log); err != nil {
		return nil, nil, err
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = places.Run(following) // it ends with its context alone
	}()
	return places, func() {
		cancel()
		<-ended
	}, nil
}

// resolve makes addresses and bytes of the settings, or says all that is wrong with them.
func (cfg *Config) resolve() (peerListen, peerAdvertise string, requestBytes int64, err error) {
	peerListen, peerAdvertise, err = peerAddresses(cfg.Log.Seeds, cfg.PeerListen, cfg.PeerAdvertise)
	if err == nil {
		err = checkPeerTLS(peerListen, cfg.PeerTLS)
	}
	requestBytes, memory := requestMemory(cfg.MaxRequestMiB)
	return peerListen, peerAdvertise, requestBytes, errors.Join(err, cfg.PeerTLS.Check(), memory)
}

// commandTypes are the names of all commands.
func commandTypes() []string {
	var types []string
	for _, c := range command.All() {
		types = append(types, c.Type)
	}
	return types
}

// minRequestMiB is the least that the setting may say.
const minRequestMiB = (httpapi.MinMemory + 1<<20 - 1) >> 20

// requestMemory is how many bytes requests under way may take: as the setting says, or else a share of the memory that
// the process may use.
func requestMemory(mib int64) (int64, error) {
	switch {
	case mib == 0:
		return min(service.MemoryLimit()/requestShare, defaultMaxRequests), nil
	case mib < minRequestMiB:
		return 0, fmt.Errorf("--max-request-memory %d is too little for the largest body; give at least %d", mib,
			minRequestMiB)
	default:
		return mib << 20, nil
	}
}

func checkStandbys(n int) error {
	if n < 1 {
		return fmt.Errorf("--standbys %d is too few; give at least 1, or --standby-every 0 for none", n)
	}
	return nil
}

// decoder rebuilds commands that another replica handed over.
func decoder(options command.Options) shard.DecodeFunc {
	return func(typ, id, key string, body []byte, receivedAtMicros int64) (*shard.Command, error) {
		return command.Rebuild(typ, id, key, body, receivedAtMicros, options)
	}
}

// Program is the process of the service.
func Program() run.Program {
	var cfg Config
	return run.Program{
		Name:  "order-api",
		Flags: cfg.register,
		Validate: func(s run.Service) error {
			checked := cfg
			checked.Service = s
			_, _, _, err := checked.resolve()
			_, rounding := ParseRounding(checked.Rounding)
			_, mode := access.ParseMode(checked.Access)
			return errors.Join(err, rounding, mode, checkStandbys(checked.Standbys))
		},
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return Run(ctx, cfg)
		},
	}
}

func (cfg *Config) register(fs *flag.FlagSet) {
	run.AccessVar(fs, &cfg.Access)
	fs.StringVar(&cfg.DataDir, "data-dir", ".local/order-api",
		"folder of the shards' checkpoints; they are built again from the log when it is gone")
	fs.StringVar(&cfg.PeerListen, "peer-listen", "", "`host:port` where other replicas reach this one; empty: "+
		"the address from which this machine reaches the brokers, and a free port; off: this replica is the only one")
	fs.StringVar(&cfg.PeerAdvertise, "peer-advertise", "", "`host:port` that other replicas are told to call; empty: "+
		"that of peer-listen, and where it has no host, the address from which this machine reaches the brokers")
	fs.StringVar(&cfg.PeerTLS.Cert, "peer-cert", "", "PEM `file` with the certificate that this replica shows to the "+
		"others, for the host that they call or for peer-name; needed unless peer-listen is off or a loopback address. This "+
		"file, that of peer-key and that of peer-ca are read again when they change")
	fs.StringVar(&cfg.PeerTLS.Key, "peer-key", "", "PEM `file` with the key of peer-cert")
	fs.StringVar(&cfg.PeerTLS.CA, "peer-ca", "",
		"PEM `file` with the authority that signed the certificates of all replicas, and no others")
	fs.StringVar(&cfg.PeerTLS.Name, "peer-name", "", "`name` that the certificates of all replicas have, where replicas "+
		"call each other by addresses that are not known beforehand, as in Kubernetes; empty: the host that is called")
	service.DurationVar(fs, &cfg.PaymentWindow, "payment-window", limits.DefaultPaymentWindow, time.Second,
		"how long a prepaid order waits for its payment")
	fs.StringVar(&cfg.Rounding, "rounding", DefaultRounding, "`HOW` orders are rounded that do not say: order (all that "+
		"one costs together) or line (each line and each charge). It may change at any time: an order keeps its own")
	service.DurationVar(fs, &cfg.SessionTimeout, "session-timeout", eventlog.DefaultSessionTimeout, time.Second,
		"after how long a replica that is not heard of loses its shards")
	service.DurationVar(fs, &cfg.MaxClockSkew, "max-clock-skew", DefaultMaxClockSkew, 0, "how far this machine's clock "+
		"may be from the Kafka brokers'; a replica whose clock is further off serves no shard, and says so. 0: they are "+
		"not compared")
	service.DurationVar(fs, &cfg.MaxQueueWait, "max-queue-wait", DefaultMaxQueueWait, 0, "how long a command may have "+
		"to wait for its shard; one that would wait longer is answered 429 at once, and Retry-After says for how long. "+
		"Commands on streams wait. 0: however long")
	fs.Int64Var(&cfg.MaxRequestMiB, "max-request-memory", 0, "how many `MIB` of memory requests under way may take, "+
		"at least "+strconv.Itoa(minRequestMiB)+"; half of it is for streams of commands. Beyond that requests are "+
		"answered 429, and streams are read more slowly. 0: an eighth of what the process may use (the container's "+
		"limit, GOMEMLIMIT, or the machine's memory), at most 512")
	service.DurationVar(fs, &cfg.StandbyEvery, "standby-every", DefaultStandbyEvery, 0, "how often this replica's "+
		"checkpoints of shards that others serve follow the log, so that taking one over is quick however long its "+
		"history is; 0: never")
	fs.IntVar(&cfg.Standbys, "standbys", shard.DefaultStandbys, "`NUMBER` of other replicas that keep such a checkpoint "+
		"of each shard, and take it over when its owner is gone; give all replicas the same")
}
