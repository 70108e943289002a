package run

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// The tables of an older program in the embedded ClickHouse do not keep the platform from starting.
func TestTheStackStartsOnTablesOfAnOlderProgram(t *testing.T) {
	ctx, dir := logtest.Context(t), t.TempDir()
	for range 2 {
		stack, err := StartStack(ctx, StackConfig{Dir: dir, Listen: "127.0.0.1:0", KafkaListen: "127.0.0.1:0", ClickHouseListen: "127.0.0.1:0", Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := clickhouse.Open(stack.ClickHouse())
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Exec(ctx, "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited')", nil, nil)
		if err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	}
}
