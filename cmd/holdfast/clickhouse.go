package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// clickHouseURLName is the file in the data folder of `holdfast dev` with the address of its ClickHouse.
const clickHouseURLName = "clickhouse-url"

// devClickHouse is the mirror of `holdfast dev`, with the password of its last start.
func devClickHouse() string {
	if address, err := os.ReadFile(filepath.Join(defaultDir, clickHouseURLName)); err == nil {
		return strings.TrimSpace(string(address))
	}
	return "http://" + defaultClickHouseListen + "/" + clickhouse.DefaultDatabase
}

// clickHouseFlag adds --clickhouse to a command.
func clickHouseFlag(c *cobra.Command, address *string, usage string) {
	c.Flags().StringVar(address, "clickhouse", environment("HOLDFAST_CLICKHOUSE", devClickHouse()),
		usage+" (HOLDFAST_CLICKHOUSE; default: that of holdfast dev, as "+
			filepath.Join(defaultDir, clickHouseURLName)+" has it)")
	c.Flags().Lookup("clickhouse").DefValue = "" // the usage has it, without the password
	clusterFlag(c, address)
}

// clusterFlag adds --clickhouse-cluster to a command that has --clickhouse.
func clusterFlag(c *cobra.Command, address *string) {
	var cluster string
	c.Flags().StringVar(&cluster, "clickhouse-cluster", environment("HOLDFAST_CLICKHOUSE_CLUSTER", ""),
		clickhouse.ClusterUsage+" (HOLDFAST_CLICKHOUSE_CLUSTER)")
	c.PreRunE = func(*cobra.Command, []string) (err error) {
		if *address != noClickHouse {
			*address, err = clickhouse.InCluster(*address, cluster)
		}
		return err
	}
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
