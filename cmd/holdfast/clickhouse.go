package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// defaultClickHouse is the mirror of `holdfast dev`.
const defaultClickHouse = "http://" + defaultClickHouseListen + "/" + clickhouse.DefaultDatabase

// clickHouseFlag adds --clickhouse to a command.
func clickHouseFlag(c *cobra.Command, address *string, usage string) {
	c.Flags().StringVar(address, "clickhouse", environment("HOLDFAST_CLICKHOUSE", defaultClickHouse),
		usage+" (HOLDFAST_CLICKHOUSE)")
}

// mirrorUsage is what --clickhouse means to commands that change the mirror.
const mirrorUsage = "`URL` of the mirror's ClickHouse"

// openClickHouse connects to ClickHouse and makes sure that it answers.
func openClickHouse(ctx context.Context, address string) (*clickhouse.Conn, error) {
	conn, err := clickhouse.Open(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("--clickhouse names another one: %w", err), conn.Close())
	}
	return conn, nil
}
