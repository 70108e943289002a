package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// mirrored is a log and its complete mirror in ClickHouse.
func mirrored(
	t *testing.T, records func(eventlog.Layout) []*eventlog.Record,
) (context.Context, *eventlog.Client, *clickhouse.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	if err := log.Client.Produce(ctx, records(log.Layout)); err != nil {
		t.Fatal(err)
	}
	address := chdbtest.Database(t)
	conn, err := clickhouse.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := analytics.New(analytics.Config{
		Log: log.Config, Client: log.Client, Layout: log.Layout, Conn: conn, Alone: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(running) }()
	defer func() { stop(); <-done }()
	end, err := log.Client.StableOffsets(ctx, []eventlog.TopicPartition{
		{Topic: eventlog.TopicOrders}, {Topic: eventlog.TopicInventory},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := analytics.NewReports(conn).Await(ctx, eventlog.PositionOf(end)); err != nil {
		t.Fatal(err)
	}
	return ctx, log.Client, conn, address
}

// mirroredStory is the healthy story and its mirror.
func mirroredStory(t *testing.T) (context.Context, *eventlog.Client, *clickhouse.Conn, string) {
	t.Helper()
	return mirrored(t, func(l eventlog.Layout) []*eventlog.Record { return healthy().records(t, l) })
}

func execute(t *testing.T, ctx context.Context, conn *clickhouse.Conn, statement string) {
	t.Helper()
	if err := conn.Exec(ctx, statement, clickhouse.Settings{"mutations_sync": 2}, nil); err != nil {
		t.Fatal(err)
	}
}

// The mirror has what verify makes of every type of event. The ledger is left out, because the samples' levels do not
// follow from each other.
func TestEveryEventIsMirroredAsVerifyKnowsIt(t *testing.T) {
	ctx, client, conn, _ := mirrored(t, func(eventlog.Layout) (recs []*eventlog.Record) {
		for _, s := range codectest.Samples(t) {
			topic, changes := eventlog.TopicInventory, (&eventv1.OrderEvent{}).ProtoReflect().Descriptor().Fields()
			if name := strings.Split(s.Type, ".")[1]; changes.ByName(protoreflect.Name(name)) != nil {
				topic = eventlog.TopicOrders
			}
			recs = append(recs, &eventlog.Record{
				TopicPartition: eventlog.TopicPartition{Topic: topic},
				Key:            []byte("k"),
				Value:          s.Value,
			})
		}
		return recs
	})
	found, err := verify.CompareMirror(ctx, client, conn, "stock_ledger")
	if err != nil || found.Violations != 0 || found.Checked == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// A violation is found when one value of one row differs, in any column.
func TestEveryColumnOfTheMirrorIsCompared(t *testing.T) {
	ctx, client, conn, _ := mirroredStory(t)
	violations := func() int64 {
		t.Helper()
		found, err := verify.CompareMirror(ctx, client, conn)
		if err != nil {
			t.Fatal(err)
		}
		return found.Violations
	}
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{
		"String": "concat(%s, 'x')", "LowCardinality(String)": "concat(%s, 'x')", "UUID": "generateUUIDv4()",
		"DateTime64(6, 'UTC')": "addMicroseconds(%s, 1)",
		"Int32":                "%s + 1", "Int64": "%s + 1", "UInt32": "%s + 1", "UInt8": "%s + 1", "UInt64": "%s + 1",
	}
	for _, table := range m.Tables()[:4] {
		kept := table.Name + "_kept"
		execute(t, ctx, conn, fmt.Sprintf("CREATE TABLE %s AS %s", kept, table.Name))
		execute(t, ctx, conn, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s", kept, table.Name))
		refill := func(columns string) {
			execute(t, ctx, conn, "TRUNCATE TABLE "+table.Name)
			execute(t, ctx, conn, fmt.Sprintf("INSERT INTO %s SELECT %s FROM %s", table.Name, columns, kept))
		}
		for _, column := range table.Columns {
			changed := strings.ReplaceAll(other[column.Type], "%s", column.Name)
			refill(fmt.Sprintf("* REPLACE (if((topic, partition, offset) = "+
				"(SELECT max((topic, partition, offset)) FROM %s), %s, %s) AS %s)",
				kept, changed, column.Name, column.Name))
			if violations() == 0 {
				t.Errorf("%s.%s is another, and nothing was found", table.Name, column.Name)
			}
		}
		refill("*")
		if n := violations(); n != 0 {
			t.Fatalf("%s is as it was, and %d violations were found", table.Name, n)
		}
	}
}

func TestAMirrorIsHeldToTheLog(t *testing.T) {
	ctx, client, conn, address := mirroredStory(t)
	violations := func() map[string]int64 {
		t.Helper()
		report, err := verify.Run(ctx, client, verify.Options{ClickHouse: address})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int64{}
		for _, inv := range report.Invariants {
			found[inv.ID] = inv.Violations
			if (inv.ID == verify.Mirror || inv.ID == verify.Replayed) && inv.Checked == 0 {
				t.Errorf("%s was not checked", inv.ID)
			}
		}
		return found
	}
	if found := violations(); found[verify.Mirror] != 0 || found[verify.Replayed] != 0 {
		t.Fatalf("the healthy mirror: %v", found)
	}
	for _, plant := range []struct {
		statement string
		healthy   bool
	}{
		{
			"INSERT INTO order_lines (partition, offset, line, type, quantity, amount_micros) " +
				"VALUES (0, 0, 7, 'order_placed', 1, 1)",
			false,
		},
		{"ALTER TABLE order_lines DELETE WHERE line = 7", true},
		{"ALTER TABLE stock_ledger UPDATE on_hand = on_hand + 1 WHERE version = 5", false},
		{"ALTER TABLE stock_ledger UPDATE on_hand = on_hand - 1 WHERE version = 5", true},
		{"ALTER TABLE events DELETE WHERE version = 3", false},
	} {
		execute(t, ctx, conn, plant.statement)
		found := violations()
		if (found[verify.Mirror] == 0) != plant.healthy || (found[verify.Replayed] == 0) != plant.healthy {
			t.Errorf("%s: found %v", plant.statement, found)
		}
	}
}

// refusing is the address of a ClickHouse that has no disk space for the events of a copy.
func refusing(t *testing.T, address string) string {
	t.Helper()
	engine, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: engine.Scheme, Host: engine.Host})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if strings.HasSuffix(q.Get("database"), "_verify") && strings.HasPrefix(q.Get("query"), "INSERT INTO events ") {
			w.Header().Set("X-ClickHouse-Exception-Code", "243")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)")
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	engine.Host = strings.TrimPrefix(server.URL, "http://")
	return engine.String()
}

// A mirror that cannot be filled again ends the verification with the reason, and leaves nothing behind.
func TestAMirrorThatCannotBeFilledAgainIsGivenUp(t *testing.T) {
	ctx, client, conn, address := mirroredStory(t)
	_, err := verify.Run(ctx, client, verify.Options{
		ClickHouse: refusing(t, address), MirrorWait: 5 * time.Second,
	})
	if err == nil || !strings.Contains(err.Error(), "has not moved for 5s") ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("it says %v", err)
	}
	var left uint64
	const copies = "SELECT count() FROM system.databases WHERE name = concat(currentDatabase(), '_verify')"
	err = conn.Each(ctx, copies, nil, nil,
		func(rows clickhouse.Rows) error { return rows.Scan(&left) })
	if err != nil || left != 0 {
		t.Errorf("%d databases are left behind, %v", left, err)
	}
}

// The wait for a mirror that nobody fills ends, too.
func TestAMirrorThatStandsStillIsGivenUp(t *testing.T) {
	ctx, client, _, address := mirroredStory(t)
	more := healthy()
	more.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.OrderHeld{}))
	if err := client.Produce(ctx, more.records(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})); err != nil {
		t.Fatal(err)
	}
	_, err := verify.Run(ctx, client, verify.Options{ClickHouse: address, MirrorWait: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "is analytics-projector running?") ||
		!strings.Contains(err.Error(), "has not moved") {
		t.Errorf("it says %v", err)
	}
}

// An empty log has an empty mirror.
func TestTheMirrorOfAnEmptyLog(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	address := chdbtest.Database(t)
	conn, err := clickhouse.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(log.Ctx, m); err != nil {
		t.Fatal(err)
	}
	report, err := verify.Run(log.Ctx, log.Client, verify.Options{ClickHouse: address})
	if err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
}
