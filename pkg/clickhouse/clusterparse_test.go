package clickhouse_test

import (
	"os"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// The engine reads what is sent to a cluster, and knows the settings. It has no cluster: what it would do there is not
// tested.
func TestTheEngineReadsWhatIsSentToACluster(t *testing.T) {
	_, conn := open(t)
	text, err := os.ReadFile("testdata/cluster.sql")
	if err != nil {
		t.Fatal(err)
	}
	settings := clickhouse.Settings{}
	statements := 0
	for statement := range strings.SplitSeq(string(text), ";\n") {
		statement = strings.TrimSpace(statement)
		if setting, ok := strings.CutPrefix(statement, "SET "); ok {
			name, value, _ := strings.Cut(setting, " = ")
			settings[name] = value
			continue
		}
		if statement == "" {
			continue
		}
		statements++
		chdbtest.Parses(t, conn, statement)
	}
	if statements < 10 || len(settings) < 6 {
		t.Errorf("%d statements and %d settings were read", statements, len(settings))
	}
	if err := conn.Each(t.Context(), "SELECT 1", settings, nil, func(rows clickhouse.Rows) error {
		return rows.Scan(new(uint8))
	}); err != nil {
		t.Errorf("the settings: %v", err)
	}
}

// A server without clusters says which it has.
func TestAServerWithoutTheCluster(t *testing.T) {
	err := clickhouse.Reach(t.Context(), chdbtest.Database(t), "prod")
	if err == nil || !strings.Contains(err.Error(), "knows no cluster prod") {
		t.Errorf("it says %v", err)
	}
}
