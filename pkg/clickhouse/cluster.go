package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	lib "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// A cluster of ClickHouse has one shard with several replicas, each with all tables. Holdfast's statements are the same
// there: what creates, drops or renames something is sent to all replicas (ON CLUSTER), tables have the Replicated
// engine of the one that they would have, and the settings below make a read wait for what was written before
// (docs/adr/0027-replicated-clickhouse.md).

// clusterParameter is the parameter of an address that names a cluster of ClickHouse.
const clusterParameter = "cluster"

// clusterPattern is what a cluster may be called.
var clusterPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

const (
	// quorumTimeout is how long an insert may take to reach the majority of the replicas.
	quorumTimeout = 30 * time.Second
	// definitionTimeout is how long all replicas together may take to create, drop or rename something.
	definitionTimeout = 30 * time.Second
	// retriesFor is how long an insert is tried again while another one is under way, and a read until the replica that
	// it came to is as new as the others. retryEvery is the pause in between.
	retriesFor = 10 * time.Second
	retryEvery = 50 * time.Millisecond
)

// clusterSettings are sent with every statement. An insert returns when a majority of the replicas has it, and inserts
// into a table come one after the other; only then can a read know that its replica has all of them.
func clusterSettings() driver.Settings {
	return driver.Settings{
		"insert_quorum":                                 "auto",
		"insert_quorum_parallel":                        0,
		"insert_quorum_timeout":                         quorumTimeout.Milliseconds(),
		"select_sequential_consistency":                 1,
		"alter_sync":                                    2,
		"replication_wait_for_inactive_replica_timeout": int(definitionTimeout.Seconds()),
		"distributed_ddl_task_timeout":                  int(definitionTimeout.Seconds()),
		"distributed_ddl_output_mode":                   "throw",
	}
}

// InCluster is the address of ClickHouse with the name of its cluster; without a name it stays as it is.
func InCluster(address, cluster string) (string, error) {
	if cluster == "" || address == "" {
		return address, nil
	}
	if !clusterPattern.MatchString(cluster) {
		return "", fmt.Errorf("the cluster of ClickHouse %q has a name with other characters than letters, digits, "+
			"_, . and -",
			cluster)
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + clusterParameter + "=" + url.QueryEscape(cluster), nil
}

// OpenIn is Open with the name of a cluster; empty: that of the address, if it has one.
func OpenIn(address, cluster string) (*Conn, error) {
	address, err := InCluster(address, cluster)
	if err != nil {
		return nil, err
	}
	return Open(address)
}

// ClusterUsage is what --clickhouse-cluster means.
const ClusterUsage = "`NAME` of the cluster of ClickHouse whose replicas have the tables, if they are to be " +
	"replicated: one shard with several replicas; empty: --clickhouse is one server"

// The statements of Holdfast that define something, by their beginnings.
var (
	createTablePattern = regexp.MustCompile("^(CREATE TABLE (?:IF NOT EXISTS )?[`\\w.]+) ")
	enginePattern      = regexp.MustCompile(`\bENGINE = (\w*MergeTree)(?:\(([^)]*)\))?`)
	namedPattern       = regexp.MustCompile("^((?:CREATE(?: OR REPLACE)?|DROP) (?:DATABASE|TABLE|VIEW) " +
		"(?:IF (?:NOT )?EXISTS )?[`\\w.]+)")
	renamePattern = regexp.MustCompile(`^(EXCHANGE TABLES|RENAME TABLE) `)
)

// replicaPath is where the replicas of a table meet in Keeper. The UUID is part of it, not the name: a table that is
// renamed or exchanged keeps both. ON CLUSTER gives a table the same UUID on all replicas.
const replicaPath = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"

// OnCluster is a statement as it is sent to a cluster. ALTER is sent to one replica: a Replicated table tells the
// others by itself.
func OnCluster(statement, cluster string) string {
	if cluster == "" {
		return statement
	}
	on := " ON CLUSTER '" + cluster + "'"
	switch {
	case createTablePattern.MatchString(statement):
		statement = createTablePattern.ReplaceAllString(statement, "${1}"+on+" ")
		return enginePattern.ReplaceAllStringFunc(statement, func(engine string) string {
			found := enginePattern.FindStringSubmatch(engine)
			arguments := replicaPath
			if found[2] != "" {
				arguments += ", " + found[2]
			}
			return "ENGINE = Replicated" + found[1] + "(" + arguments + ")"
		})
	case namedPattern.MatchString(statement):
		return namedPattern.ReplaceAllString(statement, "${1}"+on)
	case renamePattern.MatchString(statement):
		return statement + on
	}
	return statement
}

// checkCluster refuses a cluster that Holdfast cannot use: one that the server does not know, one with several shards,
// and a server without the macros that tell replicas apart.
func (c *Conn) checkCluster(ctx context.Context, conn lib.Conn) error {
	if c.cluster == "" {
		return nil
	}
	var known, macros []string
	var shards uint64
	err := conn.QueryRow(queryContext(ctx, nil, Parameters{"cluster": c.cluster}), clusterQuery).
		Scan(&shards, &known)
	if err != nil {
		return c.explain(ctx, "ask for its clusters", err)
	}
	if err := conn.QueryRow(ctx, macrosQuery).Scan(&macros); err != nil {
		return c.explain(ctx, "ask for its macros", err)
	}
	return clusterFault(c.address, c.cluster, shards, known, macros)
}

const (
	clusterQuery = `SELECT uniqExactIf(shard_num, cluster = {cluster:String}),
    arraySort(groupUniqArray(cluster)) FROM system.clusters`
	macrosQuery = `SELECT arraySort(groupUniqArray(macro)) FROM system.macros WHERE macro IN ('shard', 'replica')`
)

// ClusterError is the error for a cluster that Holdfast cannot use.
type ClusterError struct{ what string }

// Error implements error.
func (e *ClusterError) Error() string { return e.what }

func clusterFault(address, cluster string, shards uint64, known, macros []string) error {
	switch {
	case shards == 0 && len(known) == 0:
		return &ClusterError{fmt.Sprintf("ClickHouse at %s knows no cluster %s, and no other: "+
			"define one in remote_servers of its configuration, or leave --clickhouse-cluster out", address, cluster)}
	case shards == 0:
		return &ClusterError{fmt.Sprintf("ClickHouse at %s knows no cluster %s: its clusters are %s; "+
			"name one with --clickhouse-cluster", address, cluster, strings.Join(known, ", "))}
	case shards > 1:
		return &ClusterError{fmt.Sprintf("the cluster %s of ClickHouse has %d shards: Holdfast needs one shard whose "+
			"replicas have all tables. Define such a cluster, and name it with --clickhouse-cluster", cluster, shards)}
	case len(macros) < 2:
		return &ClusterError{fmt.Sprintf("ClickHouse at %s has not the macros {shard} and {replica}, by which the "+
			"replicas of a table find each other (it has %q): set them in macros of its configuration", address, macros)}
	}
	return nil
}

// AllReplicas checks that every replica of the cluster answers. Without a cluster there is nothing to check.
func (c *Conn) AllReplicas(ctx context.Context) error {
	if c.cluster == "" {
		return nil
	}
	err := c.Each(ctx, "SELECT count() FROM clusterAllReplicas("+Literals(c.cluster)+", system.one)",
		Settings{"skip_unavailable_shards": 0}, nil, func(rows Rows) error { return rows.Scan(new(uint64)) })
	if err != nil {
		return fmt.Errorf("a replica of the cluster %s does not answer, and all must while tables are swapped: "+
			"start it, or take it out of the cluster: %w", c.cluster, err)
	}
	return nil
}

// everywhere is the name of a system table of this server, or of all replicas together.
func (c *Conn) everywhere(table string) string {
	if c.cluster == "" {
		return table
	}
	return "clusterAllReplicas(" + Literals(c.cluster) + ", " + table + ")"
}

// retried tries a statement again while the cluster refuses it for what passes: another insert into the table is under
// way, or the replica is not as new as a majority. Both have changed nothing.
func (c *Conn) retried(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(retriesFor)
	for {
		err := try()
		if c.cluster == "" || !passes(err) || time.Now().After(deadline) {
			return err
		}
		if backoff.Sleep(ctx, retryEvery) != nil {
			return err
		}
	}
}

func passes(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == codeQuorumBusy || e.Code == codeReplicaBehind)
}
