//go:build !noembedded

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// deleteTimeout bounds the deletion of the topics of a load test.
const deleteTimeout = 30 * time.Second

// startStack starts the platform to load. stop ends it and removes its data.
func (f *benchFlags) startStack(c *cobra.Command) (_ *stack.Stack, stop func() error, err error) {
	log, err := f.log.clusterConfig(c, "env", "topic-prefix")
	if err != nil {
		return nil, nil, err
	}
	temporary := len(log.Seeds) > 0 && !c.Flags().Changed("env") && !c.Flags().Changed("topic-prefix")
	if temporary {
		log.Env = "bench-" + strings.ToLower(rand.Text())
		log.TopicPrefix = log.Env + "."
	}
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("temporary directory: %w", err)
	}
	cfg := stack.Config{
		Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", Log: log,
		Shards: f.shards, Replicas: f.replicas, Logger: slog.New(slog.DiscardHandler),
	}
	if !c.Flags().Changed("shards") {
		cfg.Shards = int32(f.replicas)
	}
	if cfg.ClickHouse = stack.NoClickHouse; f.mirror {
		cfg.ClickHouse, cfg.ClickHouseListen = stack.EmbeddedClickHouse, "127.0.0.1:0"
	}
	remove := func() error {
		err := os.RemoveAll(dir)
		if temporary {
			err = errors.Join(err, deletePlatform(c.Context(), log))
		}
		return err
	}
	stack, err := stack.Start(c.Context(), cfg)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	stop = func() error { return errors.Join(stack.Close(), remove()) }
	if actual := stack.Layout().ShardCount; c.Flags().Changed("shards") && actual != f.shards {
		err := fmt.Errorf("the number of shards of the platform is %d, so that figures would not be for --shards %d; "+
			"leave --shards out, or name another platform", actual, f.shards)
		return nil, nil, errors.Join(err, stop())
	}
	return stack, stop, nil
}

// deletePlatform deletes the topics of a load test, also of one that was interrupted.
func deletePlatform(ctx context.Context, cfg eventlog.Config) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	client, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.DeletePlatform(ctx); err != nil {
		return fmt.Errorf("the topics of this run begin with %s and are still there: %w", cfg.TopicPrefix, err)
	}
	return nil
}
