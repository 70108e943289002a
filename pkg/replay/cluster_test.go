package replay

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// How far tables are is on all replicas of a cluster.
func TestTheProgressInACluster(t *testing.T) {
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := clickhouse.OnCluster(createProgress, "prod")
	if !strings.Contains(sent, "CREATE TABLE IF NOT EXISTS insight_progress ON CLUSTER 'prod' (") ||
		!strings.Contains(sent, "ENGINE = ReplicatedAggregatingMergeTree(") {
		t.Errorf("it is created by %s", sent)
	}
	chdbtest.Parses(t, conn, sent)
}
