package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/analytics"
	"github.com/holdfast/holdfast/cmd/internal/run/inventory"
	"github.com/holdfast/holdfast/cmd/internal/run/orderapi"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
	"github.com/holdfast/holdfast/pkg/shard"
)

// component is one service of the stack. It calls registered once its routes are there.
type component struct {
	name string
	run  func(ctx context.Context, registered func(string)) error
}

// startServices starts each service when the one before has registered.
func (s *Stack) startServices(ctx, background context.Context, components []component) error {
	for _, c := range components {
		registered := make(chan struct{})
		var once sync.Once
		ended := make(chan struct{})
		s.done.Add(1)
		go func() {
			defer s.done.Done()
			defer close(ended)
			s.report(background, c.name, c.run(background, func(string) { once.Do(func() { close(registered) }) }))
		}()
		select {
		case <-registered:
		case <-ended:
			return s.takeErrors()
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", c.name, context.Cause(ctx))
		}
	}
	return nil
}

func (s *Stack) services(server *run.Server, registry *prometheus.Registry) []component {
	inStack := func(name string, registered func(string)) run.Service {
		return run.Service{
			Log: s.eventLog(name), Layout: s.layout,
			Logger: s.cfg.Logger, Tracer: s.tracer, Registry: registry, Server: server, Ready: registered,
		}
	}
	peerListen := "" // replicas of other processes may run on the same platform
	if s.kafka != nil && s.cfg.Replicas <= 1 {
		peerListen = orderapi.PeersOff
	}
	orderAPI := func(in run.Service, dir string) orderapi.Config {
		return orderapi.Config{
			Service: in, DataDir: filepath.Join(s.cfg.Dir, dir), PeerListen: peerListen,
			PaymentWindow: s.cfg.PaymentWindow, Rounding: s.cfg.Rounding, MaxClockSkew: orderapi.DefaultMaxClockSkew,
			MaxQueueWait: orderapi.DefaultMaxQueueWait,
			StandbyEvery: orderapi.DefaultStandbyEvery, Joined: s.joined,
			Access: string(s.cfg.Access),
		}
	}
	components := []component{
		{"order-api", func(ctx context.Context, registered func(string)) error {
			return orderapi.Run(ctx, orderAPI(inStack("order-api", registered), "order-api"))
		}},
		{"inventory-projector", func(ctx context.Context, registered func(string)) error {
			return inventory.Run(ctx, inStack("inventory-projector", registered))
		}},
		{"query-api", func(ctx context.Context, registered func(string)) error {
			return queryapi.Run(ctx, queryapi.Config{
				Service: inStack("query-api", registered), DataDir: filepath.Join(s.cfg.Dir, "query-api"), ClickHouse: s.clickHouse,
				TimeZone: s.cfg.TimeZone,
			})
		}},
	}
	for i := 2; i <= s.cfg.Replicas; i++ {
		name := fmt.Sprintf("order-api-%d", i)
		components = append(components, component{name, func(ctx context.Context, registered func(string)) error {
			in := inStack(name, func(address string) { s.addReplica(address); registered(address) })
			in.Server, in.Registry, in.Listen = nil, prometheus.NewRegistry(), "127.0.0.1:0"
			return orderapi.Run(ctx, orderAPI(in, name))
		}})
	}
	if s.clickHouse != "" {
		components = append(components, component{"analytics-projector",
			func(ctx context.Context, registered func(string)) error {
				return analytics.Run(ctx, analytics.Config{
					Service: inStack("analytics-projector", registered), ClickHouse: s.clickHouse, Alone: s.engine != nil,
					ReadyInsights: true,
				})
			}})
	}
	return components
}

func (s *Stack) joined(node *shard.Replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, node)
}

func (s *Stack) addReplica(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas = append(s.replicas, "http://"+address)
}

// spread is nil once every replica is ready and the group has shared out the shards, evenly.
func (s *Stack) spread() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var owned []int
	for _, node := range s.nodes {
		if err := node.Ready(); err != nil {
			return err
		}
		owned = append(owned, node.OwnedShards())
	}
	if slices.Max(owned)-slices.Min(owned) > 1 {
		return fmt.Errorf("the shards are being shared out: the replicas have %v", owned)
	}
	return nil
}
