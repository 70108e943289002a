package analytics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func table(r *analytics.Report) string {
	rows := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		rows[i] = strings.Join(row, " ")
	}
	return strings.Join(rows, "\n")
}

// order appends an event of an order. Its envelope is filled in here.
func (f *fixture) order(id string, at time.Time, ev *eventv1.OrderEvent) {
	f.t.Helper()
	ev.OrderId, ev.Meta = id, f.meta(id, at)
	f.append(f.record(eventlog.TopicOrders, id, ev))
}

// The first days of three months.
var (
	january  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	february = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	march    = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

func (f *fixture) placed(id, country string, at time.Time, quantity, micros int64) {
	f.order(id, at, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: &eventv1.OrderPlacedV2{
		CustomerId: "c-" + id, Currency: "GBP", Country: country,
		Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: micros}},
	}}})
}

func (f *fixture) confirmed(id string, at time.Time) {
	f.order(id, at, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderConfirmed{
		OrderConfirmed: &eventv1.OrderConfirmed{},
	}})
}

func (f *fixture) cancelled(id string, at time.Time) {
	f.order(id, at, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderCancelled{
		OrderCancelled: &eventv1.OrderCancelled{Reason: "why not"},
	}})
}

func (f *fixture) linesCancelled(id string, at time.Time, quantity, micros int64) {
	f.order(id, at, schematest.OrderEvent(&eventv1.LinesCancelledV2{
		Lines: []*eventv1.CancelledLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: micros}},
	}))
}

func (f *fixture) revenue(q analytics.ReportQuery) string {
	f.t.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	reports := analytics.NewReports(f.conn)
	if _, err := reports.Await(f.ctx, f.end()); err != nil {
		f.t.Fatal(err)
	}
	page, err := reports.Revenue(f.ctx, q)
	if err != nil {
		f.t.Fatal(err)
	}
	for i, row := range page.Rows { // up to revenue_rounded: all of it is goods
		page.Rows[i] = row[:len(row)-5]
	}
	return table(page)
}

// A placed order is revenue from its confirmation on, until it is cancelled.
func TestRevenueFollowsTheLifeOfAnOrder(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	january := february.Add(-time.Second)
	f.placed("kept", "FR", january, 2, 1_005_000)
	f.placed("cancelled", "FR", january, 3, 2_000_000)
	f.placed("open", "DE", january, 5, 1_000_000)
	f.placed("dropped", "DE", january, 7, 1_000_000)
	f.cancelled("dropped", january) // never confirmed
	f.confirmed("kept", february)
	f.confirmed("cancelled", february)
	f.cancelled("cancelled", march)
	f.imported(1, true) // not appended: no revenue
	for _, c := range []struct {
		query analytics.ReportQuery
		want  string
	}{
		{analytics.ReportQuery{By: analytics.ByMonth},
			"2026-02 GBP 2 0 2 5 8.01 0.00 8.01 8.01\n2026-03 GBP 0 1 1 -3 0.00 -6.00 -6.00 -6.00"},
		{analytics.ReportQuery{By: analytics.ByCountry}, "FR GBP 2 1 3 2 8.01 -6.00 2.01 2.01"},
		{analytics.ReportQuery{By: analytics.BySKU, From: march}, "A GBP 0 1 1 -3 0.00 -6.00 -6.00 -6.00"},
		{analytics.ReportQuery{By: analytics.ByDay, To: march}, "2026-02-01 GBP 2 0 2 5 8.01 0.00 8.01 8.01"},
		{
			analytics.ReportQuery{By: analytics.ByCustomer, SKU: "A", Currency: "GBP"},
			"c-kept GBP 1 0 1 2 2.01 0.00 2.01 2.01\nc-cancelled GBP 1 1 2 0 6.00 -6.00 0.00 0.00",
		},
		{analytics.ReportQuery{By: analytics.ByMonth, Currency: "EUR"}, ""},
		{analytics.ReportQuery{By: analytics.ByMonth, SKU: "B"}, ""},
	} {
		if got := f.revenue(c.query); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

// Cancelled lines reduce revenue when they are cancelled. An order counts with what is left of it when it is confirmed,
// and takes off what is left of it when it is cancelled.
func TestRevenueGoesWithoutCancelledLines(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	f.placed("before", "FR", january, 5, 1_000_000)
	f.linesCancelled("before", january, 2, 1_000_000)
	f.confirmed("before", february)
	f.placed("after", "DE", january, 5, 1_000_000)
	f.confirmed("after", february)
	f.linesCancelled("after", march, 1, 1_000_000)
	f.placed("both", "DE", january, 7, 1_000_000)
	f.confirmed("both", january)
	f.linesCancelled("both", january, 3, 1_000_000)
	f.cancelled("both", march)
	f.placed("open", "FR", january, 9, 1_000_000)
	f.linesCancelled("open", january, 4, 1_000_000) // never confirmed
	for _, c := range []struct {
		query analytics.ReportQuery
		want  string
	}{
		{
			analytics.ReportQuery{By: analytics.ByMonth},
			"2026-01 GBP 1 1 2 4 7.00 -3.00 4.00 4.00\n2026-02 GBP 2 0 2 8 8.00 0.00 8.00 8.00\n" +
				"2026-03 GBP 0 2 2 -5 0.00 -5.00 -5.00 -5.00",
		},
		{analytics.ReportQuery{By: analytics.ByCountry},
			"DE GBP 2 2 5 4 12.00 -8.00 4.00 4.00\nFR GBP 1 0 1 3 3.00 0.00 3.00 3.00"},
		{
			analytics.ReportQuery{By: analytics.ByCustomer, From: march},
			"c-after GBP 0 1 1 -1 0.00 -1.00 -1.00 -1.00\nc-both GBP 0 1 1 -4 0.00 -4.00 -4.00 -4.00",
		},
		{analytics.ReportQuery{By: analytics.ByMonth, SKU: "B"}, ""},
		{analytics.ReportQuery{By: analytics.ByMonth, Currency: "EUR"}, ""},
	} {
		if got := f.revenue(c.query); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

// An amendment changes revenue when it is accepted; before the confirmation it changes what is confirmed. Requested and
// declined amendments do not change it.
func TestRevenueFollowsAmendments(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	lines := func(quantity, price int64) []*eventv1.AmendedLine {
		return []*eventv1.AmendedLine{{
			Line: 1, Sku: "A", Quantity: quantity, UnitPriceMicros: price,
			FormerQuantity: 5, FormerUnitPriceMicros: 1_000_000,
		}}
	}
	requested := func(id string, at time.Time, lines []*eventv1.AmendedLine) {
		f.order(id, at, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentRequestedV2{
			AmendmentRequestedV2: &eventv1.AmendmentRequestedV2{Lines: lines},
		}})
	}
	amended := func(id string, at time.Time, lines []*eventv1.AmendedLine) {
		requested(id, at, lines)
		f.order(id, at, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderAmendedV2{
			OrderAmendedV2: &eventv1.OrderAmendedV2{Lines: lines},
		}})
	}
	f.placed("more", "FR", january, 5, 1_000_000)
	f.confirmed("more", january)
	amended("more", march, append(lines(7, 1_000_000),
		&eventv1.AmendedLine{Line: 2, Sku: "B", Quantity: 1, UnitPriceMicros: 500_000}))
	f.placed("dearer", "DE", january, 5, 1_000_000)
	amended("dearer", january, lines(4, 2_000_000))
	f.confirmed("dearer", february)
	f.placed("off", "DE", january, 5, 1_000_000)
	f.confirmed("off", january)
	amended("off", february, lines(0, 1_000_000))
	requested("off", march, lines(9, 1_000_000))
	f.order("off", march, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentDeclined{
		AmendmentDeclined: &eventv1.AmendmentDeclined{},
	}})
	for _, c := range []struct {
		query analytics.ReportQuery
		want  string
	}{
		{
			analytics.ReportQuery{By: analytics.ByMonth},
			"2026-01 GBP 2 0 2 10 10.00 0.00 10.00 10.00\n2026-02 GBP 1 1 2 -1 8.00 -5.00 3.00 3.00\n" +
				"2026-03 GBP 1 0 2 3 2.50 0.00 2.50 2.50",
		},
		{analytics.ReportQuery{By: analytics.BySKU},
			"A GBP 3 1 5 11 20.00 -5.00 15.00 15.00\nB GBP 1 0 1 1 0.50 0.00 0.50 0.50"},
		{analytics.ReportQuery{By: analytics.ByCountry, SKU: "B"}, "FR GBP 1 0 1 1 0.50 0.00 0.50 0.50"},
	} {
		if got := f.revenue(c.query); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

// An imported document is revenue. A document whose import was only requested, or was rejected, is not.
func TestRevenueIsOfImportedDocuments(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	document := &eventv1.OrderImported{
		CustomerId: "c", Currency: "GBP", Country: "FR", SubtotalMicros: 5_000_000, TotalMicros: 5_000_000,
		Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 5, UnitPriceMicros: 1_000_000}},
	}
	for _, id := range []string{"asked", "refused", "imported"} {
		asked := &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{Order: document}}
		f.order(id, march, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ImportRequested{ImportRequested: asked}})
	}
	f.order("refused", march, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderRejected{
		OrderRejected: &eventv1.OrderRejected{},
	}})
	f.order("imported", march, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{OrderImported: document}})
	if got, want := f.revenue(analytics.ReportQuery{By: analytics.ByMonth}),
		"2026-03 GBP 1 0 1 5 5.00 0.00 5.00 5.00"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Returned goods reduce revenue when they are received, whatever their condition.
func TestRevenueGoesWithoutReturnedGoods(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	f.placed("o", "FR", january, 5, 1_000_000)
	f.confirmed("o", january)
	lines := func(n int64) []*eventv1.OrderLine {
		return []*eventv1.OrderLine{{Sku: "A", Quantity: n, UnitPriceMicros: 1_000_000}}
	}
	f.order("o", february, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReturnReceived{
		ReturnReceived: &eventv1.ReturnReceived{
			ReturnId: "r", Resellable: lines(2), Damaged: lines(1), RefundDueMicros: 3_000_000,
		},
	}})
	for _, c := range []struct {
		query analytics.ReportQuery
		want  string
	}{
		{analytics.ReportQuery{By: analytics.ByMonth},
			"2026-01 GBP 1 0 1 5 5.00 0.00 5.00 5.00\n2026-02 GBP 0 1 2 -3 0.00 -3.00 -3.00 -3.00"},
		{analytics.ReportQuery{By: analytics.ByCountry}, "FR GBP 1 1 3 2 5.00 -3.00 2.00 2.00"},
	} {
		if got := f.revenue(c.query); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

// Months and days are those of the time zone that is asked for.
func TestReportsAreOfATimeZone(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	f.placed("o-1", "FR", january, 1, 1_000_000)
	f.confirmed("o-1", february.Add(-time.Hour))
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by   analytics.Dimension
		zone *time.Location
		want string
	}{
		{analytics.ByMonth, nil, "2026-01"}, {analytics.ByMonth, tokyo, "2026-02"},
		{analytics.ByDay, nil, "2026-01-31"}, {analytics.ByDay, tokyo, "2026-02-01"},
	} {
		want := c.want + " GBP 1 0 1 1 1.00 0.00 1.00 1.00"
		if got := f.revenue(analytics.ReportQuery{By: c.by, Zone: c.zone}); got != want {
			t.Errorf("by %s in %v: %q, want %q", c.by, c.zone, got, want)
		}
	}
}

// Sums that are too great for an int64 of millionths are exact.
func TestSumsBeyondAnAmountAreExact(t *testing.T) {
	f := newFixture(t)
	f.mirror()
	at := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	const most = 1<<63 - 1
	for i := range 3 {
		id := fmt.Sprint("huge-", i)
		f.placed(id, "FR", at, 1, most)
		f.confirmed(id, at)
	}
	const want = "2026-02 GBP 3 0 3 3 27670116110564.327421 0.00 27670116110564.327421 27670116110564.327421"
	if got := f.revenue(analytics.ReportQuery{By: analytics.ByMonth}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// All pages together are the whole report, in every dimension and order.
func TestPagesAreTheWhole(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	f.mirror()
	f.exact()
	reports := analytics.NewReports(f.conn)
	type ask func(q analytics.ReportQuery) (*analytics.Report, error)
	type stream func(q analytics.ReportQuery, sink analytics.Sink) error
	whole := func(by analytics.Dimension, ask ask, stream stream) {
		t.Helper()
		all, err := ask(analytics.ReportQuery{By: by, Limit: 1000})
		if err != nil || len(all.Rows) == 0 || all.Next != "" {
			t.Fatalf("by %s: %+v, %v", by, all, err)
		}
		paged := &analytics.Report{Rows: [][]string{}}
		for begun := false; !begun || paged.Next != ""; begun = true {
			page, err := ask(analytics.ReportQuery{By: by, Limit: 5, After: paged.Next})
			if err != nil {
				t.Fatal(by, err)
			}
			paged.Rows, paged.Next = append(paged.Rows, page.Rows...), page.Next
		}
		if table(all) != table(paged) {
			t.Errorf("by %s: pages have\n%s\nall\n%s", by, table(paged), table(all))
		}
		var streamed sink
		if err := stream(analytics.ReportQuery{By: by, Limit: 5}, &streamed); err != nil || streamed.begun != 1 ||
			len(streamed.columns) != len(all.Columns) || table(&streamed.Report) != table(all) {
			t.Errorf("by %s: streamed, begun %d times\n%s\nall\n%s\n%v", by, streamed.begun, table(&streamed.Report),
				table(all), err)
		}
	}
	for _, by := range analytics.RevenueDimensions {
		whole(by, func(q analytics.ReportQuery) (*analytics.Report, error) { return reports.Revenue(f.ctx, q) },
			func(q analytics.ReportQuery, sink analytics.Sink) error { return reports.StreamRevenue(f.ctx, q, sink) })
	}
	for _, by := range analytics.StockDimensions {
		whole(by, func(q analytics.ReportQuery) (*analytics.Report, error) { return reports.StockMovements(f.ctx, q) },
			func(q analytics.ReportQuery, sink analytics.Sink) error {
				return reports.StreamStockMovements(f.ctx, q, sink)
			})
	}
	for _, cursor := range []string{"x", "[]", `["x","y","z"]`, `["1","y"]`} {
		q := analytics.ReportQuery{By: analytics.BySKU, Limit: 1, After: cursor}
		if _, err := reports.Revenue(f.ctx, q); !errors.Is(err, analytics.ErrCursor) {
			t.Errorf("cursor %s: %v", cursor, err)
		}
	}
}
