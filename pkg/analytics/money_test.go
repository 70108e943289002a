package analytics_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	insights "github.com/holdfast/holdfast/schemas/insights"
)

// currencies have 0, 2, 2, 3 and 4 decimals.
var currencies = []string{"JPY", "GBP", "EUR", "KWD", "CLF"}

// change is an event of an order, with the order before and after it.
type change struct {
	event         order.Event
	before, after order.Order
	at            time.Time
}

// liveOrder draws what happens to an order in a currency, by the rules.
func liveOrder(seed int, currency string) []change {
	id := fmt.Sprintf("o-%s-%d", currency, seed)
	start := january.AddDate(0, 0, seed%50).Add(time.Duration(seed%24) * time.Hour)
	return rapid.Custom(func(t *rapid.T) (changes []change) {
		o := order.Order{ID: id}
		for range ordertest.Length(t) {
			cmd := ordertest.Command(t, o)
			switch c := cmd.(type) {
			case order.Place:
				c.OrderID, c.Currency = id, currency
				for i := range c.Lines {
					c.Lines[i].UnitPriceMicros += 240_001 // no whole number of minor units
				}
				cmd = c
			case order.ImportDocument:
				c.Currency = currency
				cmd = c
			}
			events, _ := order.Decide(o, cmd)
			for _, ev := range events {
				after := order.Evolve(o, ev, order.Facts{})
				changes = append(changes, change{ev, o, after, start.Add(time.Duration(o.Version) * 5 * time.Hour)})
				o = after
			}
		}
		return changes
	}).Example(seed)
}

// appendLives appends orders of all currencies, and returns their changes.
func (f *fixture) appendLives(each int) (lives [][]change) {
	f.t.Helper()
	var recs []*eventlog.Record
	for seed := range each * len(currencies) {
		life := liveOrder(seed, currencies[seed%len(currencies)])
		lives = append(lives, life)
		for _, c := range life {
			m := codec.Meta{
				EventID: [16]byte{byte(seed), byte(seed >> 8), byte(c.after.Version)}, Version: c.after.Version,
				OccurredAtMicros: c.at.UnixMicro(), RecordedAtMicros: c.at.UnixMicro(), Generation: 1,
				Cause: eventv1.Cause_CAUSE_COMMAND,
			}
			value, _, err := codec.AppendOrder(nil, c.after.ID, &m, c.event)
			if err != nil {
				f.t.Fatal(err)
			}
			recs = append(recs, &eventlog.Record{
				TopicPartition: eventlog.TopicPartition{
					Topic: eventlog.TopicOrders, Partition: eventlog.PartitionFor(c.after.ID, f.layout.PartitionCount),
				},
				Key: []byte(c.after.ID), Value: value,
			})
		}
	}
	f.append(recs...)
	return lives
}

// costs is what an order costs: its total without what came back, both rounded (ORD-4, ORD-61); 0 unless it counts.
func costs(t *testing.T, life []change) (micros int64) {
	t.Helper()
	counts := false
	for _, c := range life {
		switch c.event.(type) {
		case order.OrderConfirmed, order.DocumentImported:
			counts = true
		case order.OrderCancelled:
			counts = false
		}
	}
	if !counts {
		return 0
	}
	o := life[len(life)-1].after
	_, returned, err := analytics.Returned(&o)
	if err != nil {
		t.Fatal(err)
	}
	if micros = o.TotalMicros - returned; o.Kind == order.KindCreditNote {
		micros = -micros
	}
	return micros
}

// The revenue that a report shows adds up to what its orders cost, in currencies of 0, 2, 3 and 4 decimals.
func TestRoundedRevenueIsWhatOrdersCost(t *testing.T) {
	f := newFixture(t)
	lives := f.appendLives(60)
	f.mirror()
	want, uneven := map[string]int64{}, false
	for _, life := range lives {
		if len(life) > 0 {
			want[life[0].after.Currency] += costs(t, life)
		}
	}
	reports := analytics.NewReports(f.conn)
	if _, err := reports.Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	for _, by := range analytics.RevenueDimensions {
		report, err := reports.Revenue(f.ctx, analytics.ReportQuery{By: by, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, row := range report.Rows {
			rounded, err := money.Parse(row[9])
			if err != nil {
				t.Fatal(err)
			}
			got[row[1]] += rounded
			uneven = uneven || row[9] != row[8]
		}
		if len(got) != len(currencies) || !maps.Equal(got, want) {
			t.Errorf("by %s: revenue_rounded adds up to %v, orders cost %v", by, got, want)
		}
	}
	if !uneven {
		t.Error("no revenue was rounded")
	}
}

// 16.24 JPY are shown as 16, which is what the order costs, with the exact sum beside it.
func TestRevenueOfYen(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	f.order("o-1", january, schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: "c-1", Currency: "JPY", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 2, UnitPriceMicros: 8_120_000}},
	}))
	f.confirmed("o-1", january)
	const want = "2026-01 JPY 1 0 1 2 16.24 0 16.24 16"
	if got := f.revenue(analytics.ReportQuery{By: analytics.ByMonth}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// figures are the money of a day in a currency, in the order of the measures of the insight payments.
type figures [6]int64

// figuresOf are what an order shows.
func figuresOf(o *order.Order) figures {
	return figures{
		o.AuthorizedMicros, o.CapturedMicros, o.VoidedMicros, o.RefundedMicros, o.GoodwillMicros, o.RefundDueMicros,
	}
}

// moneyByDay is how what orders show changed on each day, and in each currency. Days on which nothing did are left out.
func moneyByDay(lives [][]change, zone *time.Location) map[string]figures {
	all := map[string]figures{}
	for _, life := range lives {
		for _, c := range life {
			key := c.at.In(zone).Format(time.DateOnly) + " " + c.after.Currency
			sum, before, after := all[key], figuresOf(&c.before), figuresOf(&c.after)
			for i := range sum {
				sum[i] += after[i] - before[i]
			}
			all[key] = sum
		}
	}
	maps.DeleteFunc(all, func(_ string, f figures) bool { return f == figures{} })
	return all
}

// moneyOf is an answer of the insight payments by day and currency, all providers together.
func moneyOf(t *testing.T, answer *insight.Answer) map[string]figures {
	t.Helper()
	all := map[string]figures{}
	for _, row := range answer.Rows {
		var f figures
		for i, name := range []string{"authorized", "captured", "voided", "refunded", "goodwill", "refund_due"} {
			micros, err := money.Parse(row[name])
			if err != nil {
				t.Fatal(err)
			}
			currency, _ := money.Lookup(row["currency"])
			if micros%currency.MinorUnit() != 0 {
				t.Errorf("%s %s of %s is no whole number of minor units", row[name], row["currency"], name)
			}
			f[i] = micros
		}
		key := row["day"] + " " + row["currency"]
		sum := all[key]
		for i := range f {
			sum[i] += f[i]
		}
		all[key] = sum
	}
	maps.DeleteFunc(all, func(_ string, f figures) bool { return f == figures{} })
	return all
}

func sameMoney(t *testing.T, what string, got, want map[string]figures) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s, %s: the insight has %v, orders show %v", what, key, got[key], want[key])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: the insight has %d days, orders %d", what, len(got), len(want))
	}
}

// The insight payments is to the minor unit what the rules make of the same events, in five currencies, in any time
// zone, computed or kept.
func TestPaymentsAreWhatOrdersShow(t *testing.T) {
	f := newFixture(t)
	lives := f.appendLives(80)
	f.mirror()
	reached, err := analytics.NewReports(f.conn).Await(f.ctx, f.end())
	if err != nil {
		t.Fatal(err)
	}
	ready, err := insights.Ready()
	if err != nil {
		t.Fatal(err)
	}
	var moved figures
	for _, zone := range []string{"UTC", "Asia/Tokyo"} {
		text := strings.Replace(string(ready["payments.yaml"]), "source: events", "source: events\nzone: "+zone, 1)
		d, err := insight.Parse("payments.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		location, err := insight.LoadZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		want := moneyByDay(lives, location)
		for _, day := range want {
			for i, micros := range day {
				moved[i] += max(micros, -micros)
			}
		}
		answer, err := d.Preview(f.ctx, f.conn, insight.MaxPreviewRows)
		if err != nil {
			t.Fatal(err)
		}
		sameMoney(t, "computed in "+zone, moneyOf(t, answer), want)
		kept := f.kept(d, reached.Position.Offsets())
		answer, err = kept.Ask(f.ctx, f.conn, insight.Question{By: []string{"day"}, Limit: insight.MaxAnswerRows}, nil, nil)
		if err != nil || answer.Computed != "" {
			t.Fatalf("%v, computed: %s", err, answer.Computed)
		}
		sameMoney(t, "kept in "+zone, moneyOf(t, answer), want)
	}
	if slices.Contains(moved[:], 0) {
		t.Errorf("some money never moved: %v", moved)
	}
}

// kept is a version whose table has the events below offsets, filled in two parts.
func (f *fixture) kept(d *insight.Definition, end eventlog.Offsets) *insight.Version {
	f.t.Helper()
	v, err := insight.NewVersion(d, d.TableName(d.Fingerprint()))
	if err == nil {
		err = v.Create(f.ctx, f.conn)
	}
	for tp, up := range end {
		for _, part := range [][2]int64{{0, up / 2}, {up / 2, up}} {
			if err == nil && part[0] < part[1] {
				err = v.Fill(f.ctx, f.conn, insight.Interval{TopicPartition: tp, From: part[0], UpTo: part[1]})
			}
		}
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}
