package analytics_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// rebuildVariable is the environment variable that makes this test binary a rebuild. Its value is a rebuildOf as JSON.
const rebuildVariable = "HOLDFAST_TEST_REBUILD"

// rebuildOf is what a rebuild in a process of its own needs to know, and where it stops.
type rebuildOf struct {
	projectorOf
	Phase     analytics.RebuildPhase
	Table     string
	FlushRows int
}

// runAsRebuild rebuilds a mirror, and does not return, in a process that rebuildUntil has started.
func runAsRebuild() {
	text := os.Getenv(rebuildVariable)
	if text == "" {
		return
	}
	var of rebuildOf
	err := json.Unmarshal([]byte(text), &of)
	if err == nil {
		err = of.run()
	}
	fmt.Println("ended:", err)
	os.Exit(1)
}

func (of rebuildOf) run() error {
	client, err := eventlog.Open(of.Log)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(of.DSN)
	if err != nil {
		return err
	}
	_, err = analytics.Rebuild(context.Background(), analytics.RebuildConfig{
		Client: client, Layout: of.Layout, Conn: conn, FlushRows: of.FlushRows,
		Observe: func(s analytics.RebuildState) {
			if s.Phase == of.Phase && s.Table == of.Table && (s.Phase != analytics.RebuildFills || s.Reached > 0) {
				fmt.Println("there")
				select {} // until it is killed
			}
		},
	})
	return err
}

// rebuildUntil runs a rebuild in a process of its own, and kills it where it is to stop.
func (f *fixture) rebuildUntil(phase analytics.RebuildPhase, table string) {
	f.t.Helper()
	of := rebuildOf{projectorOf{Log: f.log, Layout: f.layout, DSN: f.dsn}, phase, table, 0}
	if phase == analytics.RebuildFills {
		of.FlushRows = 100 // so that it stops half-way
	}
	text, err := json.Marshal(of)
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.CommandContext(f.ctx, os.Args[0])
	cmd.Env = append(os.Environ(), rebuildVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "there\n" {
		f.t.Errorf("the rebuild says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	_ = cmd.Wait()
}

func (f *fixture) rebuildConfig(change ...func(*analytics.RebuildConfig)) analytics.RebuildConfig {
	cfg := analytics.RebuildConfig{
		Client: f.client, Layout: f.layout, Conn: f.conn,
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// rebuild rebuilds the mirror, and checks that nothing is left of the shadow.
func (f *fixture) rebuild(change ...func(*analytics.RebuildConfig)) *analytics.RebuildReport {
	f.t.Helper()
	report, err := analytics.Rebuild(f.ctx, f.rebuildConfig(change...))
	if err != nil {
		f.t.Fatal(err)
	}
	f.noShadow()
	return report
}

func (f *fixture) noShadow() {
	f.t.Helper()
	if f.value(shadowDatabases) != 0 {
		f.t.Error("the shadow is left behind")
	}
}

const shadowDatabases = "SELECT toInt64(count()) FROM system.databases " +
	"WHERE name = concat(currentDatabase(), '_rebuild')"

// tableIDs changes when a table is swapped.
const tableIDs = "SELECT toInt64(sum(cityHash64(name, uuid))) FROM system.tables WHERE database = currentDatabase()"

// fromScratch are the checksums of a mirror that is filled from the log in another database.
func (f *fixture) fromScratch() string {
	f.t.Helper()
	conn, err := f.conn.Sibling("scratch")
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.DropDatabase(f.ctx); err != nil {
		f.t.Fatal(err)
	}
	_, stop := f.mirror(func(c *analytics.Config) { c.Conn = conn })
	defer stop()
	if _, err := analytics.NewReports(conn).Await(f.ctx, f.end()); err != nil {
		f.t.Fatal(err)
	}
	stop()
	sums, err := analytics.NewReports(conn).Checksums(f.ctx, "true")
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprint(sums)
}

// asFromScratch compares the mirror with the log, and with one that is filled from scratch.
func (f *fixture) asFromScratch() {
	f.t.Helper()
	f.exact()
	if have, want := f.checksums(), f.fromScratch(); have != want {
		f.t.Errorf("the mirror is\n%s\nand from scratch\n%s", have, want)
	}
}

// reader asks for figures all the time. None of them may ever be less than before.
type reader struct {
	f       *fixture
	stop    chan struct{}
	done    chan struct{}
	asked   int
	longest time.Duration
}

const revenueOfSales = "SELECT sum(amount_micros) FROM sales FINAL"

func (f *fixture) read() *reader {
	f.t.Helper()
	r := &reader{f: f, stop: make(chan struct{}), done: make(chan struct{})}
	first := make(chan struct{})
	go func() {
		defer close(r.done)
		reports, position := analytics.NewReports(f.conn), eventlog.Position{}
		most := map[string]int64{}
		for {
			select {
			case <-r.stop:
				return
			default:
			}
			reached, err := reports.Await(f.ctx, eventlog.Position{})
			if err != nil || !reached.Position.Reaches(position) {
				f.t.Errorf("the mirror is at %s, and was at %s: %v", reached.Position, position, err)
				return
			}
			position = reached.Position
			for _, query := range []string{
				"SELECT toInt64(count()) FROM events FINAL", revenueOfSales,
				"SELECT toInt64(count()) FROM stock_ledger FINAL",
			} {
				began := time.Now()
				n, err := f.ask(query)
				r.longest = max(r.longest, time.Since(began))
				if err != nil || n < most[query] {
					f.t.Errorf("%s is %d, and was %d: %v", query, n, most[query], err)
					return
				}
				most[query] = n
			}
			if r.asked++; r.asked == 1 {
				close(first)
			}
		}
	}()
	f.t.Cleanup(r.end)
	select {
	case <-first:
	case <-r.done:
	}
	return r
}

func (r *reader) end() {
	select {
	case <-r.stop:
	default:
		close(r.stop)
	}
	<-r.done
}

// sold appends orders, which only add to revenue, and receipts.
func (f *fixture) sold(from, to int) {
	f.t.Helper()
	var recs []*eventlog.Record
	for n := from; n < to; n++ {
		recs = append(recs, f.imported(n, false), f.received(n))
	}
	f.append(recs...)
}

// A mirror is rebuilt again and again while events are written and mirrored. Readers never see less than before.
func TestReadersSeeCompleteTablesDuringARebuild(t *testing.T) {
	f := newFixture(t)
	f.sold(0, 500)
	m, _ := f.mirror()
	f.exact()
	r := f.read()
	next := 500
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 3 {
		done := make(chan *analytics.RebuildReport)
		go func() {
			report, err := analytics.Rebuild(f.ctx, f.rebuildConfig())
			if err != nil {
				t.Error(err)
			}
			done <- report
		}()
		var report *analytics.RebuildReport
		for report == nil && !t.Failed() {
			f.sold(next, next+10)
			next += 10
			select {
			case report = <-done:
			case <-tick.C: // the load is an open loop
			}
		}
		if t.Failed() {
			return
		}
		if !report.Swapped || report.Differences() != 0 || len(report.Tables) != 5 {
			t.Errorf("%+v", report)
		}
		t.Logf("the mirror took no rows for %s", report.Fenced)
	}
	f.exact()
	r.end()
	t.Logf("%d rounds of reads; the longest took %s", r.asked, r.longest)
	f.asFromScratch()
	f.noShadow()
	f.eventually("the projector goes on", func() bool { return m.Ready() == nil })
}

// A rebuild is killed wherever it can be. The mirror stays complete, the projector goes on, and the next rebuild ends
// well.
func TestAKilledRebuildLeavesACompleteMirror(t *testing.T) {
	for _, at := range []struct {
		phase   analytics.RebuildPhase
		table   string
		resumes bool
	}{
		{analytics.RebuildFills, "", true},
		{analytics.RebuildCompares, "", true},
		{analytics.RebuildFences, "", true},
		{analytics.RebuildSwaps, "events", false},
		{analytics.RebuildSwaps, "sales", false},
		{analytics.RebuildSwaps, clickhouse.MigrationsTable, false},
		{analytics.RebuildSwaps, "mirror_progress", false},
		{analytics.RebuildDrops, "", false},
	} {
		t.Run(fmt.Sprint(at.phase, " ", at.table), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.sold(0, 300)
			f.mirror()
			f.exact()
			r := f.read()
			f.rebuildUntil(at.phase, at.table)
			f.sold(300, 340)
			f.exact()
			var resumed atomic.Bool
			f.rebuild(func(c *analytics.RebuildConfig) {
				c.Observe = func(s analytics.RebuildState) { resumed.Store(s.Resumed) }
			})
			if resumed.Load() != at.resumes {
				t.Errorf("resumed: %v", resumed.Load())
			}
			f.sold(340, 360)
			f.asFromScratch()
			r.end()
		})
	}
}

// Of two rebuilds of one mirror, the second is refused while the first is at work, and a rebuild that has lost its
// shadow swaps nothing.
func TestTwoRebuildsOfOneMirror(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	f.mirror()
	f.exact()
	first := f.rebuild(func(c *analytics.RebuildConfig) {
		c.Observe = func(s analytics.RebuildState) {
			if s.Phase != analytics.RebuildCompares {
				return
			}
			if _, err := analytics.Rebuild(f.ctx, f.rebuildConfig()); !errors.Is(err, analytics.ErrRebuilding) {
				t.Errorf("the second one: %v", err)
			}
		}
	})
	if !first.Swapped {
		t.Errorf("%+v", first)
	}
	shadow, err := f.conn.Sibling("rebuild")
	if err != nil {
		t.Fatal(err)
	}
	defer shadow.Close()
	for name, statements := range map[string][]string{
		"swapped by another": {"CREATE TABLE swapping (at DateTime) ENGINE = MergeTree ORDER BY at"},
		"made anew": {
			"CREATE TABLE other AS mirror_progress", "EXCHANGE TABLES other AND mirror_progress",
		},
		"dropped": {"DROP DATABASE " + shadow.Database()},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.value(tableIDs)
			_, err := analytics.Rebuild(f.ctx, f.rebuildConfig(func(c *analytics.RebuildConfig) {
				c.Observe = func(s analytics.RebuildState) {
					if s.Phase == analytics.RebuildFences {
						for _, statement := range statements {
							if err := shadow.Exec(f.ctx, statement, nil, nil); err != nil {
								t.Error(err)
							}
						}
					}
				}
			}))
			if err == nil || !strings.Contains(err.Error(), "another rebuild has swapped or dropped") {
				t.Errorf("it says %v", err)
			}
			if f.value(tableIDs) != before {
				t.Error("tables were swapped")
			}
			if err := shadow.DropDatabase(f.ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
	f.fill(100, 120)
	f.exact()
}

// A swap that would take too long is given up, and the mirror takes rows again.
func TestASwapThatIsLateChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	f.mirror()
	f.exact()
	_, err := analytics.Rebuild(f.ctx, f.rebuildConfig(func(c *analytics.RebuildConfig) { c.Fence = time.Microsecond }))
	if err == nil || !strings.Contains(err.Error(), "in 5 attempts") {
		t.Errorf("it says %v", err)
	}
	f.fill(100, 120)
	f.exact()
	f.rebuild()
	f.exact()
}

// newerMigration is one that another version of the program would have.
const newerMigration = "ALTER TABLE sales ADD COLUMN IF NOT EXISTS colour String DEFAULT 'red' COMMENT 'Its colour';\n"

// A newer projector fills tables of its own while the older one goes on, waits until that has stopped, and swaps.
func TestANewerProjectorTakesOverFromAnOlderOne(t *testing.T) {
	f := newFixture(t)
	f.sold(0, 200)
	older := f.startProjector()
	f.exact()
	r := f.read()
	analytics.AsNewerProgram(t, newerMigration)
	m, _ := f.mirror(func(c *analytics.Config) { c.Alone = false })
	f.eventually("it waits for the older one", func() bool { return m.Ready() == nil && m.Started() == nil })
	f.sold(200, 220)
	colours := func() int64 {
		return f.value("SELECT toInt64(count()) FROM system.columns " +
			"WHERE database = currentDatabase() AND name = 'colour'")
	}
	f.eventually("the older one goes on", func() bool {
		return f.value("SELECT toInt64(count()) FROM events FINAL") == f.events
	})
	if colours() != 0 {
		t.Error("the tables were swapped although the older projector runs")
	}
	if err := older.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = older.Wait()
	f.eventually("the newer one takes over", func() bool { return colours() == 1 })
	f.sold(220, 240)
	f.exact()
	r.end()
	if n := f.value("SELECT toInt64(countIf(colour != 'red')) FROM sales FINAL"); n != 0 {
		t.Errorf("%d rows lack the new column", n)
	}
	f.asFromScratch()
	f.eventually("nothing is left", func() bool { return f.value(shadowDatabases) == 0 })
}

// Tables whose migration had another text are rebuilt by the command. Until then they answer.
func TestTablesOfAnotherTextAreRebuilt(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	_, stop := f.mirror()
	f.exact()
	stop()
	f.execute("ALTER TABLE sales DROP COLUMN reason")
	f.execute("ALTER TABLE stock_ledger DROP COLUMN reference, ADD COLUMN note String")
	f.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited')")
	report := f.rebuild()
	if report.Differences() != 0 {
		t.Errorf("what both have is equal: %+v", report)
	}
	missing := map[string]string{}
	for _, table := range report.Tables {
		missing[table.Table] = fmt.Sprint(table.Missing)
	}
	if missing["sales"] != "[reason]" || missing["stock_ledger"] != "[reference note]" || missing["orders"] != "[]" {
		t.Errorf("not compared: %v", missing)
	}
	m, _ := f.mirror()
	f.eventually("ready", func() bool { return m.Ready() == nil })
	f.asFromScratch()
}

// Tables of a newer program are left as they are.
func TestARebuildRefusesTablesOfANewerProgram(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 10)
	_, stop := f.mirror()
	f.exact()
	stop()
	f.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (99, 'later', 'unknown')")
	_, err := analytics.Rebuild(f.ctx, f.rebuildConfig())
	if err == nil || !strings.Contains(err.Error(), "is newer than this program") {
		t.Errorf("it says %v", err)
	}
	f.exact()
}

// What differs is named, by table and row, and with CompareOnly that is all.
func TestWhatDiffersIsNamed(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 60)
	_, stop := f.mirror()
	f.exact()
	stop()
	only := func(c *analytics.RebuildConfig) { c.CompareOnly = true }
	if report := f.rebuild(only); report.Swapped || report.Differences() != 0 || report.Position.IsZero() {
		t.Errorf("%+v", report)
	}
	place := " partition = 1 AND offset = (SELECT min(offset) FROM orders WHERE partition = 1)"
	mutate := func(statement string) {
		t.Helper()
		if err := f.conn.Exec(f.ctx, statement, clickhouse.Settings{"mutations_sync": 2}, nil); err != nil {
			t.Fatal(err)
		}
	}
	mutate("ALTER TABLE orders UPDATE country = 'Elbonia' WHERE" + place)
	mutate("ALTER TABLE order_lines DELETE WHERE line = 1 AND" + place)
	mutate("INSERT INTO sales (partition, offset, line) SELECT 1, min(offset), 7 FROM orders WHERE partition = 1")
	report := f.rebuild(only)
	found := map[string]string{}
	for _, table := range report.Tables {
		found[table.Table] = strings.Join(append(table.Partitions, table.Examples...), "; ")
	}
	offset := f.value("SELECT toInt64(min(offset)) FROM orders WHERE partition = 1")
	row := fmt.Sprintf("orders.events/1/%d", offset)
	for table, want := range map[string]string{
		"orders":       "orders.events/1; " + row + `: country is "Elbonia" and should be "Country `,
		"order_lines":  "orders.events/1; " + row + " line 1: the mirror in use lacks this row",
		"sales":        "orders.events/1; " + row + " line 7: only the mirror in use has this row",
		"events":       "",
		"stock_ledger": "",
	} {
		if have := found[table]; !strings.HasPrefix(have, want) || want == "" && have != "" {
			t.Errorf("%s: %q, want %q", table, have, want)
		}
	}
	if report = f.rebuild(); report.Differences() != 3 || !report.Swapped {
		t.Errorf("%+v", report)
	}
	f.asFromScratch()
}

// A mirror that was filled from another log is replaced. It is not compared: its rows are of no use.
func TestAMirrorOfAnotherLogIsReplaced(t *testing.T) {
	first := newFixture(t)
	first.fill(0, 60)
	_, stop := first.mirror()
	first.exact()
	stop()
	again := newFixture(t)
	again.conn, again.dsn = first.conn, first.dsn
	again.fill(0, 3)
	first.rebuildUntil(analytics.RebuildFills, "") // its shadow is of another log, too
	report := again.rebuild()
	if !strings.Contains(report.Skipped, "is of another log") || !report.Swapped {
		t.Errorf("%+v", report)
	}
	again.mirror()
	again.exact()
}

// A log whose start was deleted cannot fill a mirror. The one in use stays.
func TestARebuildOfALogWithoutItsStartKeepsTheMirror(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	f.mirror()
	f.exact()
	logtest.DeleteRecords(t, f.log, eventlog.TopicOrders)
	_, err := analytics.Rebuild(f.ctx, f.rebuildConfig())
	var gone *eventlog.LogStartError
	if !errors.As(err, &gone) {
		t.Errorf("it says %v", err)
	}
	f.fill(20, 30)
	f.exact()
}

// lettersOf is how many records of the topic of dead letters speak of a place.
func (f *fixture) lettersOf(place string) (n int) {
	f.t.Helper()
	tp := eventlog.TopicPartition{Topic: eventlog.TopicDeadLetters}
	to, err := f.client.StableOffsets(f.ctx, []eventlog.TopicPartition{tp})
	if err != nil {
		f.t.Fatal(err)
	}
	err = f.client.Read(f.ctx, nil, to, func(rec *eventlog.Record) error {
		if string(rec.Key) == place {
			n++
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// A letter is retried while a rebuild swaps the mirror, whose program cannot decode the event. Whenever that happens,
// the mirror in use has its rows in the end, or it is a dead letter.
func TestARetryWhileTheMirrorIsSwapped(t *testing.T) {
	for name, settledIn := range map[string]analytics.RebuildState{
		"rows before the swap, and settled after it": {},
		"rows before the swap, and settled in it":    {Phase: analytics.RebuildSwaps, Table: "mirror_progress"},
		"all before the swap":                        {Phase: analytics.RebuildCompares},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.fill(0, 20)
			_, stop := f.mirror()
			f.exact()
			stop()
			letter := analytics.DeadLetter{
				Topic: eventlog.TopicOrders, Partition: 0, Reason: "it was not known", ParkedAt: time.Now(),
				Offset: f.value("SELECT toInt64(min(offset)) FROM events FINAL WHERE topic = 'orders.events' AND partition = 0"),
			}
			f.lose(f.conn.Database(), letter)
			settle := func(letter analytics.DeadLetter) error {
				return analytics.Park(f.ctx, f.client, []analytics.DeadLetter{letter})
			}
			if err := settle(letter); err != nil {
				t.Fatal(err)
			}
			swapped := false
			err := analytics.RetryWith(f.ctx, f.client, f.conn, letter, func(settled analytics.DeadLetter) error {
				if swapped {
					return settle(settled)
				}
				swapped = true
				f.rebuildWithout(letter, func(s analytics.RebuildState) {
					if s.Phase == settledIn.Phase && s.Table == settledIn.Table {
						if err := settle(settled); err != nil {
							t.Error(err)
						}
					}
				})
				if settledIn.Phase == "" {
					return settle(settled)
				}
				return errEnded
			})
			if err != nil && !errors.Is(err, errEnded) {
				t.Fatal(err)
			}
			letters, err := analytics.DeadLetters(f.ctx, f.client)
			if err != nil {
				t.Fatal(err)
			}
			rows := f.value(fmt.Sprintf("SELECT toInt64(count()) FROM events FINAL "+
				"WHERE topic = 'orders.events' AND partition = 0 AND offset = %d", letter.Offset))
			if (rows == 1) == (len(letters) == 1) {
				t.Errorf("the mirror has %d rows of it, and dead letters are %v", rows, letters)
			}
		})
	}
}

// rebuildWithout rebuilds the mirror as a program does that cannot decode an event.
func (f *fixture) rebuildWithout(letter analytics.DeadLetter, observe func(analytics.RebuildState)) {
	f.t.Helper()
	f.rebuild(func(c *analytics.RebuildConfig) {
		c.Observe = func(s analytics.RebuildState) {
			if s.Phase == analytics.RebuildCompares {
				shadow := f.conn.Database() + "_rebuild"
				f.lose(shadow, letter)
				err := f.conn.Exec(f.ctx, fmt.Sprintf("INSERT INTO %s.undecoded VALUES ('%s', %d, %d, 'unknown', now())",
					shadow, letter.Topic, letter.Partition, letter.Offset), nil, nil)
				if err != nil {
					f.t.Error(err)
				}
			}
			observe(s)
		}
	})
}

// lose deletes the rows of an event of orders.
func (f *fixture) lose(database string, letter analytics.DeadLetter) {
	f.t.Helper()
	for _, table := range []string{"events", "orders", "order_lines", "sales"} {
		topic := ""
		if table == "events" {
			topic = " AND topic = 'orders.events'"
		}
		err := f.conn.Exec(f.ctx, fmt.Sprintf("ALTER TABLE %s.%s DELETE WHERE partition = %d AND offset = %d%s",
			database, table, letter.Partition, letter.Offset, topic), clickhouse.Settings{"mutations_sync": 2}, nil)
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// errEnded ends a retry that was killed.
var errEnded = errors.New("the retry was killed")

// Events that cannot be decoded become dead letters once, however often the mirror is rebuilt. Those that can be
// decoded
// by now have rows, and are dead letters no more.
func TestDeadLettersOfARebuild(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	garbage := func(partition int32) string {
		rec := &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition},
			Key:            []byte("x"), Value: []byte{0xff},
		}
		f.append(rec)
		return fmt.Sprintf("%s/%d/%d", rec.Topic, partition, rec.Offset)
	}
	parked := garbage(1)
	_, stop := f.mirror()
	f.exact()
	stop()
	unknown := analytics.DeadLetter{
		Topic: eventlog.TopicOrders, Partition: 0, Reason: "it was not known", ParkedAt: time.Now(),
		Offset: f.value("SELECT toInt64(min(offset)) FROM events FINAL WHERE topic = 'orders.events' AND partition = 0"),
	}
	if err := analytics.Park(f.ctx, f.client, []analytics.DeadLetter{unknown}); err != nil {
		t.Fatal(err)
	}
	later := garbage(2) // the mirror in use has not come to it
	f.rebuild(func(c *analytics.RebuildConfig) { c.CompareOnly = true })
	if n := f.lettersOf(later); n != 0 {
		t.Errorf("a comparison has written %d dead letters", n)
	}
	if report := f.rebuild(); report.Retired != 1 {
		t.Errorf("%d dead letters are retired", report.Retired)
	}
	f.rebuild()
	for _, place := range []string{parked, later} {
		if n := f.lettersOf(place); n != 1 {
			t.Errorf("%s was parked %d times", place, n)
		}
	}
	letters, err := analytics.DeadLetters(f.ctx, f.client)
	if err != nil || len(letters) != 2 {
		t.Errorf("%v, %v", letters, err)
	}
	f.exact()
}
