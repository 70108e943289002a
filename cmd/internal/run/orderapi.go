package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Defaults of a platform that is created.
const (
	DefaultPartitions = 12
	DefaultShards     = 1
)

// DefaultStandbyEvery is how often checkpoints follow the log as a rule: what comes in three seconds is read in a fraction of
// one.
const DefaultStandbyEvery = 3 * time.Second

// stopTimeout bounds how long giving up the shards may take.
const stopTimeout = 15 * time.Second

// OrderAPIConfig is what order-api needs.
type OrderAPIConfig struct {
	Service
	// DataDir holds the shards' checkpoints.
	DataDir string
	// PeerListen is where other replicas reach this one: empty, where this machine reaches the brokers; PeersOff,
	// nowhere. PeerAdvertise is what they are told to call; empty: the same.
	PeerListen, PeerAdvertise string
	PeerTLS                   shard.PeerTLS
	PaymentWindow             time.Duration
	SessionTimeout            time.Duration
	// StandbyEvery is how often the checkpoints of shards that other replicas serve follow the log; 0: never.
	StandbyEvery time.Duration
	// Joined is told the node that takes part in the write side; nil: nobody asks.
	Joined func(*shard.Node)
}

// OrderAPI is the write side: it takes commands until ctx is done, finishes those under way, and gives its
// shards up.
func OrderAPI(ctx context.Context, cfg OrderAPIConfig) (err error) {
	options := command.Options{PaymentWindow: cfg.PaymentWindow}
	peerListen, peerAdvertise, err := peerAddresses(cfg.Log.Seeds, cfg.PeerListen, cfg.PeerAdvertise)
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	node, err := shard.Start(ctx, shard.Config{
		Log: cfg.Log, Want: cfg.Layout, DataDir: cfg.DataDir,
		PeerListen: peerListen, Advertise: peerAdvertise, PeerTLS: cfg.PeerTLS, SessionTimeout: cfg.SessionTimeout, StandbyEvery: cfg.StandbyEvery,
		Decode: decoder(options), Logger: cfg.Logger, Registerer: cfg.Registry,
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
	server, serve, err := cfg.server()
	if err != nil {
		return fmt.Errorf("order-api: %w", err)
	}
	server.AddCheck(node.Ready)
	httpapi.RegisterCommands(server.Router(), httpapi.CommandDeps{Submit: node.Submit, SubmitBehind: node.SubmitBehind, Options: options})
	return serve(ctx)
}

// decoder rebuilds commands that another replica handed over.
func decoder(options command.Options) shard.DecodeFunc {
	return func(typ, id, key string, body []byte, receivedAtMicros int64) (*shard.Command, error) {
		o, s, occurredAtMicros, err := command.Decode(typ, id, key, body, receivedAtMicros, options)
		if err != nil {
			return nil, err
		}
		return &shard.Command{
			Type: typ, ID: id, Key: key, Fingerprint: command.Fingerprint(typ, id, o, s, occurredAtMicros),
			ReceivedAtMicros: receivedAtMicros, OccurredAtMicros: occurredAtMicros, Order: o, Stock: s, Body: body,
		}, nil
	}
}
