//go:build !noembedded

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

// runIfEngine is the embedded ClickHouse, where this process is it: this program again, in a process of its own.
func runIfEngine() { engine.RunIfChild() }

// embeddedCommands start a platform in this process. They are not in a build with the tag noembedded.
func embeddedCommands() []*cobra.Command {
	return []*cobra.Command{newDevCommand(), newDemoCommand(), newBenchCommand()}
}

// startBroker starts the embedded broker with the log in the data folder of a holdfast dev, until stop is called.
func startBroker(ctx context.Context, dir string) (addresses []string, stop func(), err error) {
	kafka, err := devstack.StartKafka(ctx, devstack.KafkaOptions{Dir: stack.KafkaDir(dir), Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, nil, err
	}
	return kafka.Addrs(), kafka.Close, nil
}

// withEngine calls use with an empty embedded ClickHouse.
func withEngine(ctx context.Context, use func(*clickhouse.Conn) error) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-insight-")
	if err != nil {
		return fmt.Errorf("temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	engine, err := chdb.Start(ctx, chdb.Options{Dir: filepath.Join(dir, "clickhouse")})
	if err != nil {
		return err
	}
	defer engine.Close()
	conn, err := clickhouse.Open(engine.URL(clickhouse.DefaultDatabase))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Migrate(ctx, &clickhouse.Migrations{}); err != nil {
		return err
	}
	return use(conn)
}
