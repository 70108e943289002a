package analytics_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// TestTheTablesOfACluster shows every table of the mirror, and of its shadow, as it is created on a cluster's replicas.
// The engine reads the statements.
func TestTheTablesOfACluster(t *testing.T) {
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements := slices.Clone(analytics.ShadowDefinitions)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	var b strings.Builder
	for _, statement := range statements {
		sent := clickhouse.OnCluster(statement, "prod")
		chdbtest.Parses(t, conn, sent)
		created := strings.Contains(sent, " ON CLUSTER 'prod'") && strings.Contains(sent, "ENGINE = Replicated")
		if strings.HasPrefix(statement, "CREATE") && !created {
			t.Errorf("it is created on one replica alone: %s", sent)
		}
		b.WriteString(sent + ";\n\n")
	}
	sameAs(t, "testdata/cluster.sql", []byte(b.String()))
}
