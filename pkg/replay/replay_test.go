package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestMain(m *testing.M) { chdbtest.Main(m, runAsProjector) }

// waitLimit is how long a test waits for what must happen.
const waitLimit = 5 * time.Minute

// platform is a log with documents, its mirror, and a runner.
type platform struct {
	t        *testing.T
	ctx      context.Context
	log      eventlog.Config
	client   *eventlog.Client
	layout   eventlog.Layout
	dsn      string
	conn     *clickhouse.Conn
	catalog  *catalog.Catalog
	service  *replay.Service
	registry *prometheus.Registry
	// rawKept is how long rows that a verification was compared with are kept.
	rawKept time.Duration
	// sweepAtOnce makes projectors drop at once what nobody needs.
	sweepAtOnce bool
	written     int
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	return newPlatformAt(t, chdbtest.Database(t))
}

func newPlatformAt(t *testing.T, dsn string) *platform {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	log := logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1})
	p := &platform{t: t, ctx: ctx, log: log.Config, client: log.Client, layout: log.Layout, dsn: dsn}
	var err error
	if p.conn, err = clickhouse.Open(dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.conn.Close() })
	p.catalog = catalog.New(p.client, nil)
	p.background(p.catalog.Run)
	p.eventually("the catalogue is read", func() bool { return p.catalog.Ready() == nil })
	p.service = replay.NewService(p.client, p.layout, p.conn, p.catalog)
	return p
}

// background runs something until the test, or stop, ends it.
func (p *platform) background(run func(context.Context) error) (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil {
			p.t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	p.t.Cleanup(stop)
	return stop
}

// run runs a mirror with its runner.
func (p *platform) run() (stop func()) {
	p.t.Helper()
	p.registry = prometheus.NewRegistry()
	m, err := analytics.New(analytics.Config{
		Log: p.log, Client: p.client, Layout: p.layout, Conn: p.conn, Alone: true, FlushInterval: 20 * time.Millisecond,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	runner, err := replay.New(replay.Config{
		Client: p.client, Layout: p.layout, Conn: p.conn, Catalog: p.catalog, Mirror: m, Registerer: p.registry,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	runner.KeepRawRows(p.rawKept)
	if p.sweepAtOnce {
		runner.SweepAtOnce()
	}
	stopMirror := p.background(m.Run)
	p.eventually("the mirror has its tables", func() bool { return m.Started() == nil })
	stopRunner := p.background(runner.Run)
	return func() { stopRunner(); stopMirror() }
}

// sell appends orders of before, of one line each: order n is of n%5+1 units of sku-(n%7) at 1.05.
func (p *platform) sell(n int) {
	p.t.Helper()
	var records []*eventlog.Record
	for range n {
		id, eventID, quantity := fmt.Sprintf("order-%d", p.written), uuid.New(), int64(p.written%5+1)
		micros := quantity * 1_050_000
		value, err := (&eventv1.OrderEvent{
			OrderId: id,
			Meta: &eventv1.Meta{
				EventId: eventID[:], Version: 1, Cause: eventv1.Cause_CAUSE_COMMAND,
				OccurredAtMicros: time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC).AddDate(0, p.written%5, 0).UnixMicro(),
				RecordedAtMicros: time.Now().UnixMicro(),
			},
			Change: &eventv1.OrderEvent_OrderImported{OrderImported: &eventv1.OrderImported{
				CustomerId: "c", Currency: "GBP", Country: "France", SubtotalMicros: micros, TotalMicros: micros,
				Lines: []*eventv1.OrderLine{
					{Sku: fmt.Sprintf("sku-%d", p.written%7), Quantity: quantity, UnitPriceMicros: 1_050_000},
				},
			}},
		}).MarshalVT()
		if err != nil {
			p.t.Fatal(err)
		}
		records = append(records, &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{
				Topic: eventlog.TopicOrders, Partition: eventlog.PartitionFor(id, p.layout.PartitionCount)},
			Key: []byte(id), Value: value,
		})
		p.written++
	}
	if err := p.client.Produce(p.ctx, records); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) eventually(what string, condition func() bool) {
	p.t.Helper()
	for !condition() {
		select {
		case <-p.ctx.Done():
			p.t.Fatalf("never came true: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

const units = `name: units
description: Units that were sold.
source: sales
keys:
  sku: sku
measures:
  units: {sql: sum(quantity), unit: count}
  orders: {sql: uniqExact(order_id), unit: count}
`

// create creates a replay.
func (p *platform) create(change ...func(*replay.Request)) *catalog.Replay {
	p.t.Helper()
	o := replay.Request{File: "units.yaml", Text: []byte(units)}
	for _, c := range change {
		c(&o)
	}
	r, err := p.service.Create(p.ctx, o)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func promoting(o *replay.Request) { o.Promote = true }

func (p *platform) replay(id string) *catalog.Replay {
	state, _ := p.catalog.State()
	return state.Replay(id)
}

func (p *platform) becomes(id string, phase catalog.Phase) {
	p.t.Helper()
	p.eventually(id+" becomes "+string(phase), func() bool { return p.replay(id).Phase == phase })
}

// says waits until the answer of a replay is that of one plain query over the whole log.
func (p *platform) says(id string) {
	p.t.Helper()
	d := p.replay(id).Definition
	want := func() string {
		answer, err := d.Preview(p.ctx, p.conn, insight.MaxPreviewRows)
		if err != nil {
			p.t.Fatal(err)
		}
		return text(p.t, answer)
	}
	var orders int64
	got := ""
	p.eventually("the answer has all orders", func() bool {
		answering, err := p.service.Answering(p.ctx, p.replay(id))
		if err != nil || answering == nil {
			return false
		}
		q := insight.Question{Limit: insight.MaxAnswerRows}
		answer, err := answering.Ask(p.ctx, p.conn, q, nil, nil)
		if err != nil {
			return false
		}
		orders, got = 0, text(p.t, answer)
		for _, row := range answer.Rows {
			var n int64
			if _, err := fmt.Sscan(row["orders"], &n); err != nil {
				p.t.Fatal(err)
			}
			orders += n
		}
		return orders == int64(p.written)
	})
	if w := want(); got != w {
		p.t.Errorf("the table says %s, and one query %s", got, w)
	}
}

func text(t *testing.T, a *insight.Answer) string {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A question that is asked today is answered over the whole history, goes live, and follows what is sold then.
func TestAReplayAnswersOverTheWholeHistoryAndGoesLive(t *testing.T) {
	p := newPlatform(t)
	p.sell(1000)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	p.says(r.ID)
	p.sell(10)
	p.says(r.ID)
	if filled := p.replay(r.ID).Filled; filled == nil || filled.Events < 1000 {
		t.Errorf("the replay is filled with %+v", filled)
	}
	if v := p.replay(r.ID).Verified; v == nil || !v.Green || v.Sampled != 7 || v.Against != "" {
		t.Errorf("it was verified: %+v", v)
	}
}

// A replay of the log itself says what one of the mirror says. The verification finds no difference.
func TestAReplayFromKafkaEqualsTheLiveVersion(t *testing.T) {
	p := newPlatform(t)
	p.sell(3000)
	p.run()
	live := p.create(promoting)
	p.becomes(live.ID, catalog.Live)
	again := p.create(func(o *replay.Request) { o.Source = catalog.FromKafka })
	p.becomes(again.ID, catalog.Staged)
	p.sell(20)
	p.says(again.ID)
	v := p.verify(again.ID)
	if !v.Green || v.Rows != 7 || v.LiveRows != 7 || v.Different != 0 || v.Sampled != 7 || v.Against != live.ID {
		t.Errorf("it was verified: %+v", v)
	}
	if v.Sums["units"] != v.LiveSums["units"] || v.Sums["units"] == "" {
		t.Errorf("the sums are %v and %v", v.Sums, v.LiveSums)
	}
	p.eventually("the rows of the log are dropped", func() bool {
		n := 0
		err := p.conn.Each(p.ctx, "SELECT name FROM system.databases WHERE startsWith(name, currentDatabase() || '_')", nil,
			nil, func(rows clickhouse.Rows) error { n++; return rows.Scan(new(string)) })
		return err == nil && n == 0
	})
}

// A reader takes for a moment what it has found lately. The position of an answer is never more than the table has.
func TestAReaderKnowsForAMomentWhatItHasFound(t *testing.T) {
	p := newPlatform(t)
	p.sell(30)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	now := time.Now()
	reader := replay.NewReader(p.service)
	reader.SetClock(func() time.Time { return now })
	find := func() (*insight.Version, insight.Provenance) {
		version, from, err := reader.Find(p.ctx, "units", "")
		if err != nil {
			p.t.Fatal(err)
		}
		return version, from
	}
	version, first := find()
	p.sell(20)
	p.says(r.ID)
	now = now.Add(replay.KnownFor - time.Millisecond)
	again, second := find()
	if !second.Position.Equal(first.Position) || again != version ||
		second.Age < first.Age+replay.KnownFor-time.Millisecond {
		t.Errorf("it was at %s, %s old, and is at %s, %s old", first.Position, first.Age, second.Position, second.Age)
	}
	now = now.Add(time.Millisecond)
	again, third := find()
	if third.Position.Equal(first.Position) || !third.Position.Reaches(first.Position) || again != version {
		t.Errorf("it was at %s, and is at %s", first.Position, third.Position)
	}
}

// Verifications of one source compare with the same rows of the log, which are read on where they end. A replay of a
// part of the history is compared with a part of them.
func TestVerificationsOfASourceShareTheRowsOfTheLog(t *testing.T) {
	p := newPlatform(t)
	p.rawKept = time.Hour
	p.sell(500)
	p.run()
	first := p.create(promoting)
	p.becomes(first.ID, catalog.Live)
	databases := p.verifyDatabases()
	p.sell(300)
	again := p.create()
	p.becomes(again.ID, catalog.Staged)
	if v := p.verify(again.ID); !v.Green || v.Sampled != 7 {
		t.Errorf("it was verified: %+v", v)
	}
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}
	part := p.create(func(o *replay.Request) { o.UpTo = eventlog.PositionOf(eventlog.Offsets{tp: 20}) })
	p.becomes(part.ID, catalog.Staged)
	if v := p.verify(part.ID); !v.Green || v.Sampled != 7 {
		t.Errorf("a part of the history was verified: %+v", v)
	}
	if after := p.verifyDatabases(); databases == "" || after != databases {
		t.Errorf("rows of the log are in %q, and were in %q", after, databases)
	}
}

// verifyDatabases are the databases with rows that verifications are compared with.
func (p *platform) verifyDatabases() (names string) {
	p.t.Helper()
	err := p.conn.Each(p.ctx, "SELECT name FROM system.databases "+
		"WHERE startsWith(name, currentDatabase() || '_verify_') ORDER BY name", nil, nil,
		func(rows clickhouse.Rows) error {
			var name string
			err := rows.Scan(&name)
			names += name + " "
			return err
		})
	if err != nil {
		p.t.Fatal(err)
	}
	return names
}

func (p *platform) decide(typ catalog.Type, id string) {
	p.t.Helper()
	if _, err := p.service.Decide(p.ctx, catalog.Decision{Type: typ, ReplayID: id}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) verify(id string) *catalog.Verified {
	p.t.Helper()
	before := p.replay(id).Verified
	p.decide(catalog.VerifyRequested, id)
	p.eventually(id+" is verified", func() bool { return p.replay(id).Verified != before })
	return p.replay(id).Verified
}

// On a log without events a replay is done at once, and the answer is empty.
func TestAReplayOfAnEmptyLog(t *testing.T) {
	p := newPlatform(t)
	p.run()
	r := p.create(promoting)
	p.becomes(r.ID, catalog.Live)
	p.says(r.ID)
	p.sell(3)
	p.says(r.ID)
}

// What differs from the live version of the same definition, or from the log, is found, with the key. It does not go
// live.
func TestAVerificationFindsWhatIsWrong(t *testing.T) {
	p := newPlatform(t)
	p.sell(40_000) // several segments
	p.run()
	live := p.create(promoting)
	p.becomes(live.ID, catalog.Live)
	staged := p.create()
	p.becomes(staged.ID, catalog.Staged)
	answering, err := p.service.Answering(p.ctx, p.replay(staged.ID))
	if err != nil {
		t.Fatal(err)
	}
	if v := p.verify(staged.ID); !v.Green {
		t.Errorf("it was verified: %+v", v)
	}
	err = p.conn.Exec(p.ctx, "ALTER TABLE "+answering.Table+
		" DELETE WHERE sku = 'sku-3' AND _partition = 1 AND _segment = 0", clickhouse.Settings{"mutations_sync": 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := p.verify(staged.ID)
	if v.Green || v.Different != 1 || v.Wrong != 1 || v.Examples[0].Key["sku"] != "sku-3" ||
		v.WrongExamples[0].Key["sku"] != "sku-3" || v.Examples[0].Staged["units"] == v.Examples[0].Other["units"] {
		t.Errorf("it was verified: %+v", v)
	}
	if _, err := p.service.Decide(p.ctx, catalog.Decision{Type: catalog.Promoted, ReplayID: staged.ID}); err == nil {
		t.Error("it goes live")
	}
}

// An insight that is dropped while a replay of it is verified does not keep the runner from its work.
func TestDroppingAnInsightThatIsVerified(t *testing.T) {
	p := newPlatform(t)
	p.sell(10)
	p.run()
	r := p.create()
	p.becomes(r.ID, catalog.Staged)
	for _, d := range []catalog.Decision{
		{Type: catalog.VerifyRequested, ReplayID: r.ID}, {Type: catalog.InsightDropped, Insight: r.Insight},
	} {
		if _, err := p.service.Decide(p.ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	p.becomes(r.ID, catalog.Discarded)
	p.becomes(p.create(promoting).ID, catalog.Live)
}
