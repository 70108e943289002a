package insight_test

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/insight"
)

// On the replicas of a cluster a table of an insight keeps the greatest _upto of a row, as it does on one server.
func TestTheTableOfAnInsightInACluster(t *testing.T) {
	v, err := insight.NewVersion(&insight.Definition{Name: "units"}, "insight__units__a__b")
	if err != nil {
		t.Fatal(err)
	}
	sent := v.CreatedIn("prod", "_upto Int64", "_rollup UInt64", "_topic String", "_partition Int32", "_segment UInt32")
	want := "CREATE TABLE IF NOT EXISTS insight__units__a__b ON CLUSTER 'prod' (_upto Int64, _rollup UInt64, " +
		"_topic String, _partition Int32, _segment UInt32) " +
		"ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', _upto)"
	if !strings.HasPrefix(sent, want) {
		t.Errorf("it is created by %s", sent)
	}
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chdbtest.Parses(t, conn, sent)
}
