package replay_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/schemas/insights"
)

// Rows that come into the mirror late, of a dead letter that was retried, are in the answer, too.
func TestADeadLetterThatWasRetriedIsInTheAnswer(t *testing.T) {
	p := newPlatform(t)
	p.sell(100)
	p.mirrored()
	for _, table := range []string{"sales", "order_lines", "orders", "events"} {
		err := p.conn.Exec(p.ctx, "ALTER TABLE "+table+" DELETE WHERE partition = 1 AND offset = 3",
			clickhouse.Settings{"mutations_sync": 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	p.run()
	r := p.create(func(o *replay.Request) { o.Promote = false })
	p.becomes(r.ID, catalog.Staged)
	before, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	if v := p.verify(r.ID); v.Green || v.Wrong != 1 {
		t.Errorf("without an event of the log it was verified: %+v", v)
	}
	letter := analytics.DeadLetter{Topic: eventlog.TopicOrders, Partition: 1, Offset: 3}
	if err := analytics.Retry(p.ctx, p.client, p.conn, letter); err != nil {
		t.Fatal(err)
	}
	p.says(r.ID)
	if v := p.verify(r.ID); !v.Green {
		t.Errorf("with it it was verified: %+v", v)
	}
	after, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil || after.Table == before.Table {
		t.Errorf("the table is still %s, %v", before.Table, err)
	}
}

// When the mirror is made anew, readers of insights keep their answer, and what is sold meanwhile is in it in the end.
func TestAnswersStayWhileTheMirrorIsMadeAnew(t *testing.T) {
	p := newPlatform(t)
	p.sell(5000)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	p.says(r.ID)
	before, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	rebuilt := make(chan error, 1)
	go func() {
		_, err := analytics.Rebuild(p.ctx, analytics.RebuildConfig{Client: p.client, Layout: p.layout, Conn: p.conn})
		rebuilt <- err
	}()
	p.sell(10)
	p.eventually("another table answers, of the mirror that was made anew", func() bool {
		answering, err := p.service.Answering(p.ctx, p.replay(r.ID))
		if err != nil || answering == nil {
			t.Fatalf("nothing answers: %v", err)
		}
		answer, err := answering.Ask(p.ctx, p.conn, insight.Question{By: []string{}, Limit: 1}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := answer.Rows[0]["orders"]; n != "5000" && n != "5010" {
			t.Fatalf("the answer has %s orders", n)
		}
		return answering.Table != before.Table
	})
	if err := <-rebuilt; err != nil {
		t.Error(err)
	}
	p.says(r.ID)
}

// A table that an earlier release has filled, in another format, is not read. Readers are told to come back until the
// table of this release is filled beside it, and then it is dropped.
func TestATableOfAnotherFormatIsFilledAnew(t *testing.T) {
	p := newPlatform(t)
	p.sweepAtOnce = true
	p.sell(1000)
	stop := p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	p.says(r.ID)
	stop()
	present, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	former := strings.Replace(present.Table, "__f2_", "__", 1)
	for _, statement := range []string{
		fmt.Sprintf("RENAME TABLE %s TO %s", present.Table, former),
		fmt.Sprintf("INSERT INTO insight_progress SELECT * REPLACE ('%s' AS table_name) FROM insight_progress", former),
		fmt.Sprintf("ALTER TABLE insight_progress DELETE WHERE table_name = '%s'", present.Table),
	} {
		err := p.conn.Exec(p.ctx, statement, clickhouse.Settings{"mutations_sync": 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := replay.NewReader(p.service).Find(p.ctx, "units", ""); !errors.Is(err, insight.ErrComputing) {
		t.Errorf("a reader of a former table gets %v", err)
	}
	p.sell(10)
	p.run()
	p.says(r.ID)
	p.eventually("the former table is dropped", func() bool {
		tables, err := p.count("SELECT count() FROM system.tables " +
			"WHERE database = currentDatabase() AND startsWith(name, 'insight__')")
		return err == nil && tables == 1
	})
}

// The view of an insight is that of the live version. It follows a promotion, a rollback and another table, and goes
// with the insight. What somebody else has made stays.
func TestTheViewOfAnInsightIsThatOfTheLiveVersion(t *testing.T) {
	p := newPlatform(t)
	p.sell(100)
	p.run()
	if err := p.conn.Exec(p.ctx, "CREATE VIEW insight_mine AS SELECT 1 AS one", nil, nil); err != nil {
		t.Fatal(err)
	}
	shown := func() (n int64) {
		if err := p.conn.Each(p.ctx, "SELECT toInt64(sum(units)) FROM insight_units", nil, nil,
			func(rows clickhouse.Rows) error { return rows.Scan(&n) }); err != nil {
			return -1 // it is not there
		}
		return n
	}
	shows := func(what string, want int64) {
		t.Helper()
		p.eventually("the view shows "+what, func() bool { return shown() == want })
	}
	first := p.create(promoting)
	p.becomes(first.ID, catalog.Live)
	shows("the first version", 300)
	next := p.create(func(o *replay.Request) {
		o.Text, o.Promote = []byte(strings.Replace(units, "sum(quantity)", "sum(quantity) * 2", 1)), true
	})
	p.becomes(next.ID, catalog.Live)
	shows("the next version", 600)
	p.decide(catalog.RolledBack, next.ID)
	shows("the first version again", 300)
	before, err := p.service.Answering(p.ctx, p.replay(first.ID))
	if err != nil {
		t.Fatal(err)
	}
	_, err = analytics.Rebuild(p.ctx, analytics.RebuildConfig{Client: p.client, Layout: p.layout, Conn: p.conn})
	if err != nil {
		t.Fatal(err)
	}
	p.sell(5)
	p.eventually("the table of before is dropped", func() bool {
		if n := shown(); n != 300 && n != 315 {
			t.Fatalf("the view shows %d units", n)
		}
		var n uint64
		err := p.conn.Each(p.ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '"+
			before.Table+"'", nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&n) })
		return err == nil && n == 0
	})
	shows("the table of the mirror that was made anew", 315)
	if _, err := p.service.Decide(p.ctx, catalog.Decision{Type: catalog.InsightDropped, Insight: "units"}); err != nil {
		t.Fatal(err)
	}
	shows("nothing", -1)
	if err := p.conn.Exec(p.ctx, "SELECT one FROM insight_mine", nil, nil); err != nil {
		t.Errorf("what somebody else has made: %v", err)
	}
}

// A view does not take the name of something else.
func TestAViewLeavesWhatHasItsName(t *testing.T) {
	p := newPlatform(t)
	p.sell(10)
	p.mirrored()
	if err := p.conn.Exec(p.ctx, "CREATE TABLE insight_units (units Int64) ENGINE = Memory", nil, nil); err != nil {
		t.Fatal(err)
	}
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	other := p.create(func(o *replay.Request) {
		o.Text, o.Promote = []byte(strings.Replace(units, "name: units", "name: others", 1)), true
	})
	p.becomes(other.ID, catalog.Live)
	exists := func(name, engine string) bool {
		var n uint64
		err := p.conn.Each(p.ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '"+name+
			"' AND engine = '"+engine+"'", nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&n) })
		return err == nil && n == 1
	}
	p.eventually("views are made", func() bool { return exists("insight_others", "View") })
	if !exists("insight_units", "Memory") {
		t.Error("the table of somebody else was replaced")
	}
}

// Where nobody may create views, insights answer all the same, and the tables of dropped ones go.
func TestAUserWhoMayNotCreateViews(t *testing.T) {
	database, err := url.Parse(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := chdbtest.NewProxy(t)
	p := newPlatformAt(t, proxy.DSN(strings.TrimPrefix(database.Path, "/")))
	p.sweepAtOnce = true
	denied := "projector: Not enough privileges. To execute this query, it's necessary to have the grant CREATE VIEW ON " +
		"holdfast.* (ACCESS_DENIED)"
	proxy.Fail(chdbtest.Fault{Queries: "CREATE OR REPLACE VIEW", Code: 497, Message: denied})
	p.sell(10)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	p.eventually("a view is refused", func() bool { return proxy.Faults() > 0 })
	answering, err := p.service.Answering(p.ctx, p.replay(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := answering.Ask(p.ctx, p.conn, insight.Question{By: []string{}, Limit: 1}, nil, nil)
	if err != nil || answer.Rows[0]["orders"] != "10" {
		t.Errorf("%v, %v", answer, err)
	}
	if _, err := p.service.Decide(p.ctx, catalog.Decision{Type: catalog.InsightDropped, Insight: "units"}); err != nil {
		t.Fatal(err)
	}
	p.eventually("its table is dropped", func() bool {
		var n uint64
		err := p.conn.Each(p.ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '"+
			answering.Table+"'", nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&n) })
		return err == nil && n == 0
	})
}

// A replay of a part of the history has that part, and goes live only by force.
func TestAReplayOfAPartOfTheHistory(t *testing.T) {
	p := newPlatform(t)
	p.sell(100)
	p.run()
	january := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	february := january.AddDate(0, 1, 0)
	orders := func(id string) string {
		p.becomes(id, catalog.Staged)
		answering, err := p.service.Answering(p.ctx, p.replay(id))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := answering.Ask(p.ctx, p.conn, insight.Question{By: []string{}, Limit: 1}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Rows[0]["orders"]
	}
	month := p.create(func(o *replay.Request) { o.From, o.To = &january, &february })
	if n := orders(month.ID); n != "20" {
		t.Errorf("January has %s orders, want 20", n)
	}
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 2}
	part := p.create(func(o *replay.Request) { o.UpTo = eventlog.PositionOf(eventlog.Offsets{tp: 7}) })
	if n := orders(part.ID); n != "7" {
		t.Errorf("up to offset 7 of a partition there are %s orders", n)
	}
	for _, id := range []string{month.ID, part.ID} {
		if v := p.verify(id); !v.Green {
			t.Errorf("it was verified: %+v", v)
		}
		_, err := p.service.Decide(p.ctx, catalog.Decision{Type: catalog.Promoted, ReplayID: id})
		var refusal *catalog.Refusal
		if !errors.As(err, &refusal) || !refusal.Forceable {
			t.Errorf("it goes live: %v", err)
		}
	}
}

// A replay that is paused does nothing until it is resumed; another of the same insight waits for it; one that is
// cancelled loses its table.
func TestReplaysArePausedQueuedAndCancelled(t *testing.T) {
	p := newPlatform(t)
	p.sell(3000)
	p.run()
	slow := p.create(func(o *replay.Request) { o.EventsPerSecond = 100 })
	p.eventually("it has begun", func() bool { return p.done(slow.ID) > 0 })
	next := p.create()
	if phase := p.replay(next.ID).Phase; phase != catalog.Queued {
		t.Errorf("the second is %s", phase)
	}
	p.decide(catalog.ReplayPaused, slow.ID)
	p.decide(catalog.ReplayResumed, slow.ID)
	at := p.done(slow.ID)
	p.eventually("it goes on", func() bool { return p.done(slow.ID) > at })
	p.decide(catalog.ReplayCancelled, slow.ID)
	p.becomes(next.ID, catalog.Staged)
	p.says(next.ID)
}

// The start of the log was deleted: a replay is refused unless it is forced.
func TestAReplayOfACutLogIsRefused(t *testing.T) {
	p := newPlatform(t)
	p.sell(50)
	p.mirrored()
	logtest.DeleteRecords(t, p.log, eventlog.TopicOrders)
	order := replay.Request{File: "units.yaml", Text: []byte(units)}
	_, err := p.service.Create(p.ctx, order)
	var cut *replay.CutLogError
	if !errors.As(err, &cut) || !strings.Contains(err.Error(), "force the replay") {
		t.Errorf("the log has lost its start: %v", err)
	}
	order.Force = true
	if _, err := p.service.Create(p.ctx, order); err != nil {
		t.Error(err)
	}
}

// What cannot be created is refused, with the reason.
func TestReplaysThatCannotBe(t *testing.T) {
	p := newPlatform(t)
	p.mirrored()
	for name, test := range map[string]struct {
		change func(*replay.Request)
		want   string
	}{
		"no definition": {func(o *replay.Request) { o.Text = []byte("name: units") }, "units.yaml"},
		"no SQL": {func(o *replay.Request) {
			o.Text = []byte(strings.Replace(units, "sum(", "sam(", 1))
		}, "measures.units"},
		"a throttle": {func(o *replay.Request) { o.EventsPerSecond = -1 }, "a throttle of -1 events a second"},
	} {
		o := replay.Request{File: "units.yaml", Text: []byte(units)}
		test.change(&o)
		if _, err := p.service.Create(p.ctx, o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// While ClickHouse refuses the work, the replay says why, and goes on by itself afterwards.
func TestWorkThatClickHouseRefusesGoesOnByItself(t *testing.T) {
	p := newPlatform(t)
	p.sell(100)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	rename := func(from, to string) {
		t.Helper()
		if err := p.conn.Exec(p.ctx, "RENAME TABLE "+from+" TO "+to, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	rename("insight_progress", "away")
	p.sell(10)
	p.eventually("it says why it cannot go on", func() bool {
		return strings.Contains(p.replay(r.ID).Stalled, "insight_progress")
	})
	rename("away", "insight_progress")
	p.eventually("it goes on", func() bool { return p.replay(r.ID).Stalled == "" })
	p.says(r.ID)
}

// The report on revenue says the same from the insight as from the tables, by each dimension, page by page, also of
// what the insight's table has not yet.
func TestTheReportOnRevenueIsAnsweredFromTheInsight(t *testing.T) {
	p := newPlatform(t)
	p.sell(500)
	p.run()
	ready, err := insights.Ready()
	if err != nil {
		t.Fatal(err)
	}
	r := p.create(func(o *replay.Request) { o.Text, o.Promote = ready["revenue.yaml"], true })
	p.becomes(r.ID, catalog.Live)
	p.sell(100)
	tables := analytics.NewReports(p.conn)
	end, err := p.service.Position(p.ctx)
	if err == nil { // rows are there a moment before the mirror says so
		_, err = tables.Await(p.ctx, end)
	}
	if err != nil {
		t.Fatal(err)
	}
	reports := replay.NewReports(replay.NewReader(p.service))
	january := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, by := range analytics.RevenueDimensions {
		for _, q := range []analytics.ReportQuery{
			{}, {SKU: "sku-3"}, {Currency: "GBP"}, {Currency: "EUR"}, {From: january}, {To: january.Add(time.Hour)},
			{From: january, To: january.AddDate(0, 2, 0)}, {Zone: time.FixedZone("", 3600)},
		} {
			q.By, q.Limit = by, 2
			got, want := allPages(t, p, reports.Revenue, q), allPages(t, p, tables.Revenue, q)
			if got != want {
				t.Errorf("by %s, %+v: the insight says\n%s\nand the tables\n%s", by, q, got, want)
			}
			if got := streamed(t, p, reports.StreamRevenue, q); got != want {
				t.Errorf("by %s, %+v: streamed, the insight says\n%s\nand the tables\n%s", by, q, got, want)
			}
		}
	}
	wrong := analytics.ReportQuery{By: analytics.ByMonth, Limit: 2, After: "elsewhere"}
	if _, err := reports.Revenue(p.ctx, wrong); !errors.Is(err, analytics.ErrCursor) {
		t.Errorf("a cursor that is none: %v", err)
	}
}

// A platform whose live insight was defined before there were discounts, charges and taxes answers the report from the
// tables, with all of its measures.
func TestTheReportOnRevenueNeedsAllMeasuresOfTheInsight(t *testing.T) {
	p := newPlatform(t)
	p.sell(100)
	p.run()
	ready, err := insights.Ready()
	if err != nil {
		t.Fatal(err)
	}
	former, _, _ := strings.Cut(string(ready["revenue.yaml"]), "  goods: {")
	r := p.create(func(o *replay.Request) { o.Text, o.Promote = []byte(former), true })
	p.becomes(r.ID, catalog.Live)
	q := analytics.ReportQuery{By: analytics.ByMonth, Limit: 2}
	got := allPages(t, p, replay.NewReports(replay.NewReader(p.service)).Revenue, q)
	if want := allPages(t, p, analytics.NewReports(p.conn).Revenue, q); got != want || !strings.Contains(got, "net") {
		t.Errorf("the report says\n%s\nand the tables\n%s", got, want)
	}
}

// streamed is a report as text, with its columns, as allPages has it.
func streamed(
	t *testing.T, p *platform, stream func(context.Context, analytics.ReportQuery, analytics.Sink) error,
	q analytics.ReportQuery,
) string {
	t.Helper()
	sink := &textSink{}
	if err := stream(p.ctx, q, sink); err != nil {
		t.Fatal(err)
	}
	return sink.text.String()
}

type textSink struct {
	columns []string
	text    strings.Builder
}

func (s *textSink) Begin(columns []string) error {
	s.columns = columns
	return nil
}

func (s *textSink) Row(values []string) error {
	for i, value := range values {
		number := slices.Contains([]string{"orders", "credit_notes", "lines", "quantity"}, s.columns[i])
		fmt.Fprintf(&s.text, "%s %v: %s, ", s.columns[i], number, value)
	}
	s.text.WriteByte('\n')
	return nil
}

// allPages is a report as text, with its columns.
func allPages(
	t *testing.T, p *platform, ask func(context.Context, analytics.ReportQuery) (*analytics.Report, error),
	q analytics.ReportQuery,
) string {
	t.Helper()
	var text strings.Builder
	for {
		page, err := ask(p.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			for i, value := range row {
				fmt.Fprintf(&text, "%s %v: %s, ", page.Columns[i].Name, page.Columns[i].Number, value)
			}
			text.WriteByte('\n')
		}
		if q.After = page.Next; q.After == "" {
			return text.String()
		}
	}
}
