package clickhouse

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files again")

// definitions are statements of every form that Holdfast sends to define something.
var definitions = []string{
	"CREATE DATABASE IF NOT EXISTS `holdfast` ENGINE = Atomic",
	"DROP DATABASE IF EXISTS `holdfast_rebuild` SYNC",
	migrationsTable,
	"CREATE TABLE swapping (at DateTime) ENGINE = MergeTree ORDER BY at COMMENT 'id'",
	"CREATE TABLE IF NOT EXISTS insight__a__b__c (x UInt8, _upto Int64) ENGINE = ReplacingMergeTree(_upto)\n" +
		"ORDER BY (x) SETTINGS allow_nullable_key = 1",
	"CREATE TABLE IF NOT EXISTS insight_progress (x UInt8)\nENGINE = AggregatingMergeTree\nORDER BY (x)",
	"DROP TABLE IF EXISTS insight__a__b__c SYNC",
	"DROP TABLE swapping SYNC",
	"CREATE OR REPLACE VIEW insight_units AS SELECT 1 COMMENT 'of an insight'",
	"DROP VIEW IF EXISTS insight_units SYNC",
	"EXCHANGE TABLES `holdfast`.`events` AND `holdfast_rebuild`.`events`",
	"RENAME TABLE `holdfast_rebuild`.`sales` TO `holdfast`.`sales`",
	"ALTER TABLE events ADD COLUMN IF NOT EXISTS x UInt8 COMMENT 'x'",
	"ALTER TABLE `events` DROP CONSTRAINT IF EXISTS swap_fence",
	"INSERT INTO insight__a__b__c SELECT 1",
	"SELECT name FROM system.tables",
}

// TestDefinitionsAreSentToTheCluster shows each statement as it is sent to a cluster, with the settings of all.
func TestDefinitionsAreSentToTheCluster(t *testing.T) {
	var b strings.Builder
	settings := clusterSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "SET %s = %v;\n", name, settings[name])
	}
	for _, statement := range definitions {
		fmt.Fprintf(&b, "\n%s;\n", OnCluster(statement, "prod-1"))
		if got := OnCluster(statement, ""); got != statement {
			t.Errorf("without a cluster %q becomes %q", statement, got)
		}
	}
	golden(t, "cluster.sql", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it again. It is now\n%s", path, got)
	}
}

func TestAddressesWithACluster(t *testing.T) {
	for _, test := range []struct{ address, cluster, want string }{
		{"http://h:8123/holdfast", "prod", "http://h:8123/holdfast?cluster=prod"},
		{"clickhouse://h:9000/x?secure=true", "prod", "clickhouse://h:9000/x?secure=true&cluster=prod"},
		{"http://h:8123/holdfast", "", "http://h:8123/holdfast"},
		{"", "prod", ""},
	} {
		if got, err := InCluster(test.address, test.cluster); got != test.want || err != nil {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
	conn, err := OpenIn("clickhouse://h:9000/x", "prod")
	if err != nil || conn.cluster != "prod" || conn.server.Settings["select_sequential_consistency"] != 1 {
		t.Errorf("%+v, %v", conn, err)
	}
	sibling, err := conn.Sibling("rebuild")
	if err != nil || sibling.cluster != "prod" {
		t.Errorf("%+v, %v", sibling, err)
	}
	for _, address := range []string{"http://h:8123/x?cluster=a'b", "http://h:8123/x?cluster=a%20b"} {
		if _, err := Open(address); err == nil || !strings.Contains(err.Error(), "other characters") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := OpenIn("http://h:8123/x", "a b"); err == nil || !strings.Contains(err.Error(), "other characters") {
		t.Errorf("a name with a space: %v", err)
	}
}

func TestAClusterThatCannotBeUsed(t *testing.T) {
	both := []string{"replica", "shard"}
	for _, test := range []struct {
		shards        uint64
		known, macros []string
		want          string
	}{
		{0, nil, both, "define one in remote_servers"},
		{0, []string{"a", "b"}, both, "its clusters are a, b; name one with --clickhouse-cluster"},
		{3, []string{"prod"}, both, "has 3 shards: Holdfast needs one shard"},
		{1, []string{"prod"}, []string{"replica"}, `(it has ["replica"]): set them in macros`},
		{1, []string{"prod"}, both, ""},
	} {
		err := clusterFault("h:8123", "prod", test.shards, test.known, test.macros)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestTablesThatDoNotFitTheCluster(t *testing.T) {
	tables := []Table{{Name: "events"}}
	for _, test := range []struct{ cluster, engine, want string }{
		{"", "ReplacingMergeTree", ""},
		{"", "SharedReplacingMergeTree", ""},
		{"", "ReplicatedReplacingMergeTree", "is replicated: name the cluster"},
		{"prod", "ReplicatedReplacingMergeTree", ""},
		{"prod", "SharedReplacingMergeTree", ""},
		{"prod", "ReplacingMergeTree", "is not replicated, and would be on one replica"},
	} {
		c := &Conn{database: "holdfast", cluster: test.cluster}
		err := c.checkReplicated(tables, map[string]liveTable{"events": {engine: test.engine}})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if err := (&Conn{cluster: "prod"}).checkReplicated(tables, nil); err != nil {
		t.Errorf("a table that is not there yet: %v", err)
	}
}

// What passes is tried again in a cluster, and nothing else.
func TestWhatPassesIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		cluster string
		code    int32
		tries   int
	}{
		{"prod", codeQuorumBusy, 3},
		{"prod", codeReplicaBehind, 3},
		{"prod", codeTooFewReplicas, 1},
		{"", codeQuorumBusy, 1},
	} {
		tries := 0
		err := (&Conn{cluster: test.cluster}).retried(t.Context(), func() error {
			if tries++; tries == 3 {
				return nil
			}
			return &Error{Code: test.code, Err: errors.New("x")}
		})
		if tries != test.tries || (err == nil) != (tries == 3) {
			t.Errorf("%+v: %d tries, %v", test, tries, err)
		}
	}
}
