package insight_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The insights that come with the program are compared with figures that are computed here, row by row and without SQL.

// sale is a row of the table sales.
type sale struct {
	order, customer, country, currency, sku, reason, kind string
	quantity, micros, rounding                            int64
	ordered, counted                                      time.Time
}

// step is a row of the table orders.
type step struct {
	order, typ string
	at         time.Time
}

// event is a row of the table events.
type event struct {
	step
	version int64
	change  proto.Message
}

// history is a made-up shop: some orders a day of a few months, with returns, cancellations and amendments.
type history struct {
	sales  []sale
	steps  []step
	events []event
}

func newHistory(orders int) *history {
	h, dice := &history{}, rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[dice.IntN(len(of))] }
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range orders {
		id := fmt.Sprint("o-", n)
		at := begin.Add(time.Duration(dice.IntN(150*24*3600)) * time.Second)
		h.addSteps(dice, id, at)
		h.addRejection(dice, id, at)
		s := sale{
			order: id, customer: one("", "c-1", "c-2", "c-3", "c-4", "c-5", "c-6", "c-7"), country: one("FR", "DE"),
			currency: one("EUR", "GBP"), ordered: at, counted: at.Add(time.Duration(dice.IntN(3600)) * time.Second),
		}
		for range 1 + dice.IntN(4) {
			s.sku, s.reason, s.quantity = one("A", "B", "C", "D", "E"), "confirmed", int64(1+dice.IntN(9))
			s.micros, s.rounding, s.kind = s.quantity*int64(dice.IntN(5_000_000)), int64(dice.IntN(9)-4), "goods"
			h.sales = append(h.sales, s)
			h.addMoney(dice, s)
			if dice.IntN(4) == 0 {
				back := s
				back.reason = one("returned", "cancelled", "amended", "credited")
				back.quantity, back.micros = -1, -s.micros/s.quantity
				back.counted = s.counted.Add(time.Duration(dice.IntN(40*24)) * time.Hour)
				h.sales = append(h.sales, back)
			}
		}
	}
	return h
}

// addMoney draws what comes with goods, and what of that goes again.
func (h *history) addMoney(dice *rand.Rand, s sale) {
	s.quantity = 0
	for _, kind := range []string{"discount", "tax", "charge"} {
		if dice.IntN(3) > 0 {
			continue
		}
		if s.kind, s.micros = kind, int64(1+dice.IntN(900_000)); kind == "discount" {
			s.micros = -s.micros
		}
		if kind == "charge" {
			s.sku = "shipping"
		}
		h.sales = append(h.sales, s)
		if dice.IntN(3) == 0 {
			back := s
			back.reason, back.micros = "returned", -s.micros/2
			h.sales = append(h.sales, back)
		}
	}
}

// addSteps draws how far an order comes.
func (h *history) addSteps(dice *rand.Rand, id string, at time.Time) {
	add := func(typ string) {
		h.steps = append(h.steps, step{id, typ, at})
		at = at.Add(time.Duration(1+dice.IntN(100_000)) * time.Second)
	}
	add("order_placed")
	if dice.IntN(9) == 0 {
		add("order_rejected")
		return
	}
	add([]string{"order_reserved", "order_backordered"}[dice.IntN(2)])
	switch dice.IntN(6) {
	case 0:
		add("order_expired")
	case 1:
		add("order_cancelled")
	default:
		for i, typ := range []string{"order_confirmed", "lines_shipped", "lines_shipped", "lines_delivered"} {
			if i == 0 || dice.IntN(3) > 0 {
				add(typ)
			}
		}
	}
}

// addRejection draws an order that is rejected, because some of its items are short or do not exist.
func (h *history) addRejection(dice *rand.Rand, id string, at time.Time) {
	placed, rejected := &eventv1.OrderPlacedV2{Currency: "EUR"}, &eventv1.OrderRejected{}
	for _, sku := range []string{"A", "B", "C"} {
		placed.Lines = append(placed.Lines, &eventv1.OrderLine{
			Sku: sku, Quantity: int64(1 + dice.IntN(9)), UnitPriceMicros: int64(dice.IntN(5_000_000)),
		})
		if reason := eventv1.RejectionReason(dice.IntN(4)); reason > 0 {
			rejected.Short = append(rejected.Short, &eventv1.ShortLine{Sku: sku, Reason: reason})
		}
	}
	h.events = append(h.events, event{step{id, "order_placed", at}, 1, placed})
	if dice.IntN(3) == 0 {
		h.events = append(h.events, event{step{id, "order_rejected", at.Add(time.Hour)}, 2, rejected})
	}
}

// addPayments draws facts of payments of an order, and changes after which money is due. They need not fit together,
// and what is told later may have happened before. About half of the amounts of a change are 0.
func (h *history) addPayments(dice *rand.Rand, id, currency string, at time.Time) {
	micros := func() int64 { return int64(dice.IntN(2) * dice.IntN(9_000_000)) }
	names := [][]string{{""}, {"", "stripe"}, {"", "stripe", "gift \"card\""}}[dice.IntN(3)]
	provider := func() string { return names[dice.IntN(len(names))] }
	h.events = append(h.events, event{step{id, "order_placed", at}, 1, &eventv1.OrderPlacedV2{Currency: currency}})
	for version := range int64(dice.IntN(9)) {
		typ, change := "", proto.Message(nil)
		switch dice.IntN(9) {
		case 0, 1:
			typ, change = "payment_authorized", &eventv1.PaymentAuthorizedV3{
				AmountMicros: 9_000_000 + micros(), MatchedMicros: micros(), VoidedMicros: micros(),
				Provider: provider(),
			}
		case 2, 3:
			typ, change = "payment_captured", &eventv1.PaymentCapturedV3{
				AmountMicros: 9_000_000 + micros(), UnmatchedMicros: micros(), UnvoidedMicros: micros(),
				RefundDueMicros: micros(), Provider: provider(),
			}
		case 4:
			typ, change = "payment_voided", &eventv1.PaymentVoidedV3{AmountMicros: micros(), Provider: provider()}
		case 5:
			typ, change = "payment_refunded", &eventv1.PaymentRefundedV3{
				AmountMicros: 9_000_000 + micros(), GoodwillMicros: micros(), MatchedMicros: micros(),
				Provider: provider(),
			}
		case 6:
			typ, change = "payment_refunded", &eventv1.PaymentRefunded{AmountMicros: micros()} // version 1
		case 7:
			typ, change = "lines_cancelled", &eventv1.LinesCancelledV2{
				TotalMicros: micros(), VoidedMicros: micros(), RefundDueMicros: micros(),
			}
		case 8:
			typ, change = "return_received", &eventv1.ReturnReceivedV3{VoidedMicros: micros(), RefundDueMicros: micros()}
		}
		told := at.Add(time.Duration(dice.IntN(5*24)) * time.Hour)
		h.events = append(h.events, event{step{id, typ, told}, version + 2, change})
	}
}

func column[R, V any](rows []R, name, wire string, value func(R) V) clickhouse.Column {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return clickhouse.Column{Name: name, Wire: wire, Values: values}
}

// insert fills the tables sales, orders and events. It returns the offset behind the last one.
func (h *history) insert(t *testing.T, conn *clickhouse.Conn) int64 {
	t.Helper()
	text := func(name string, value func(sale) string) clickhouse.Column {
		return column(h.sales, name, "String", value)
	}
	number := func(name string, value func(sale) int64) clickhouse.Column {
		return column(h.sales, name, "Int64", value)
	}
	moment := func(name string, value func(sale) time.Time) clickhouse.Column {
		return column(h.sales, name, "DateTime64(6, 'UTC')", value)
	}
	offset := int64(0)
	next := func() int64 { offset++; return offset }
	begins := map[string]int64{} // an order's place in the log: no other order begins there
	for i, s := range h.sales {
		if _, known := begins[s.order]; !known {
			begins[s.order] = int64(i)
		}
	}
	err := conn.Insert(t.Context(), "sales", []clickhouse.Column{
		number("offset", func(sale) int64 { return next() }),
		number("partition", func(s sale) int64 { return begins[s.order] & 1 }),
		text("order_id", func(s sale) string { return s.order }),
		number("order_offset", func(s sale) int64 { return begins[s.order] }),
		text("customer_id", func(s sale) string { return s.customer }),
		text("country", func(s sale) string { return s.country }),
		text("currency", func(s sale) string { return s.currency }),
		text("sku", func(s sale) string { return s.sku }),
		text("kind", func(s sale) string { return s.kind }),
		text("reason", func(s sale) string { return s.reason }),
		number("quantity", func(s sale) int64 { return s.quantity }),
		number("amount_micros", func(s sale) int64 { return s.micros }),
		number("rounding_micros", func(s sale) int64 { return s.rounding }),
		moment("ordered_at", func(s sale) time.Time { return s.ordered }),
		moment("counted_at", func(s sale) time.Time { return s.counted }),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Insert(t.Context(), "orders", []clickhouse.Column{
		column(h.steps, "offset", "Int64", func(step) int64 { return next() }),
		column(h.steps, "partition", "Int64", func(s step) int64 { return int64(len(s.order)) & 1 }),
		column(h.steps, "order_id", "String", func(s step) string { return s.order }),
		column(h.steps, "type", "String", func(s step) string { return s.typ }),
		column(h.steps, "occurred_at", "DateTime64(6, 'UTC')", func(s step) time.Time { return s.at }),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Insert(t.Context(), "events", []clickhouse.Column{
		column(h.events, "offset", "Int64", func(event) int64 { return next() }),
		column(h.events, "topic", "String", func(event) string { return eventlog.TopicOrders }),
		column(h.events, "aggregate_id", "String", func(e event) string { return e.order }),
		column(h.events, "version", "Int64", func(e event) int64 { return e.version }),
		column(h.events, "type", "String", func(e event) string { return e.typ }),
		column(h.events, "occurred_at", "DateTime64(6, 'UTC')", func(e event) time.Time { return e.at }),
		column(h.events, "body", "String", func(e event) string {
			body, err := schema.AppendJSON(nil, schematest.OrderEvent(e.change))
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return offset + 1
}

// figures are the measures of one combination of keys. Sets count what is distinct.
type figures struct {
	sums map[string]int64
	sets map[string]map[string]bool
}

func (f *figures) add(name string, n int64) { f.sums[name] += n }

func (f *figures) distinct(name, value string) {
	if f.sets[name] == nil {
		f.sets[name] = map[string]bool{}
	}
	f.sets[name][value] = true
}

func (f *figures) count(name string) string { return strconv.Itoa(len(f.sets[name])) }

// groups are figures by their keys, which are written "a|b".
type groups map[string]*figures

func (g groups) of(keys ...string) *figures {
	key := strings.Join(keys, "|")
	if g[key] == nil {
		g[key] = &figures{sums: map[string]int64{}, sets: map[string]map[string]bool{}}
	}
	return g[key]
}

// lines are the groups as text: the keys, and then the measures.
func (g groups) lines(measures func(keys []string, f *figures) []string) []string {
	var lines []string
	for key, f := range g {
		keys := strings.Split(key, "|")
		lines = append(lines, strings.Join(append(keys, measures(keys, f)...), "|"))
	}
	slices.Sort(lines)
	return lines
}

func ratio(a, b int64) string {
	if b == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(a)/float64(b), 'g', -1, 64)
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

const (
	day   = "2006-01-02"
	month = "2006-01"
)

// byHand computes each insight. The lines have the keys and measures in the order of the definition.
var byHand = map[string]func(h *history) []string{
	"revenue": func(h *history) []string {
		g := groups{}
		for _, s := range h.sales {
			f := g.of(s.counted.Format(month), s.counted.Format(day), s.country, s.sku, s.customer, s.currency)
			switch s.kind + " " + s.reason {
			case "goods confirmed":
				f.distinct("orders", s.order)
			case "goods amended", "goods cancelled", "goods returned", "goods credited":
				f.distinct("credit_notes", s.order)
			}
			if s.reason == "confirmed" {
				f.add("sales", s.micros)
			} else {
				f.add("credits", s.micros)
			}
			if s.kind == "goods" {
				f.add("lines", 1)
			}
			f.add(s.kind, s.micros)
			f.add("quantity", s.quantity)
			f.add("rounding", s.rounding)
		}
		return g.lines(func(keys []string, f *figures) []string {
			revenue := f.sums["sales"] + f.sums["credits"]
			out := []string{f.count("orders"), f.count("credit_notes"), whole(f.sums["lines"]), whole(f.sums["quantity"])}
			for _, micros := range []int64{
				f.sums["sales"], f.sums["credits"], revenue, revenue + f.sums["rounding"],
				f.sums["goods"], f.sums["discount"], f.sums["charge"], f.sums["tax"],
				f.sums["goods"] + f.sums["discount"] + f.sums["charge"],
			} {
				out = append(out, money.FormatIn(keys[5], micros))
			}
			return out
		})
	},
	"top_products": func(h *history) []string {
		g := groups{}
		for _, s := range h.sales {
			if s.kind == "tax" || s.kind == "charge" {
				continue
			}
			f := g.of(s.sku, s.currency, s.counted.Format(month))
			f.add("quantity", s.quantity)
			f.add("revenue", s.micros)
			if s.quantity > 0 {
				f.distinct("orders", s.order)
			}
		}
		return g.lines(func(keys []string, f *figures) []string {
			return []string{whole(f.sums["quantity"]), money.FormatIn(keys[1], f.sums["revenue"]), f.count("orders")}
		})
	},
	"average_order_value": func(h *history) []string {
		g := groups{}
		for _, s := range h.confirmed() {
			f := g.of(s.country, s.currency, s.counted.Format(month))
			f.distinct("orders", s.order)
			f.add("sales", s.micros)
			if f.add("units", s.quantity); s.kind == "goods" {
				f.add("lines", 1)
			}
		}
		return g.lines(func(keys []string, f *figures) []string {
			return []string{
				f.count("orders"), money.FormatIn(keys[1], f.sums["sales"]), whole(f.sums["units"]), whole(f.sums["lines"]),
				money.FormatIn(keys[1], f.sums["sales"]/int64(len(f.sets["orders"]))),
			}
		})
	},
	"orders_by_hour": func(h *history) []string {
		g := groups{}
		for _, s := range h.confirmed() {
			weekday := (int(s.ordered.Weekday())+6)%7 + 1
			g.of(strconv.Itoa(weekday), strconv.Itoa(s.ordered.Hour())).distinct("orders", s.order)
		}
		return g.lines(func(_ []string, f *figures) []string { return []string{f.count("orders")} })
	},
	"bought_together": func(h *history) []string {
		g := groups{}
		for _, a := range h.confirmed() {
			for _, b := range h.confirmed() {
				if a.order == b.order && a.sku < b.sku && a.kind == "goods" && b.kind == "goods" {
					g.of(a.sku, b.sku).distinct("orders", a.order)
				}
			}
		}
		return g.lines(func(_ []string, f *figures) []string { return []string{f.count("orders")} })
	},
	"returns": func(h *history) []string {
		g := groups{}
		for _, s := range h.sales {
			if s.kind != "goods" {
				continue
			}
			f := g.of(s.sku, s.counted.Format(month))
			f.add(map[string]string{
				"confirmed": "sold", "amended": "sold", "returned": "returned", "credited": "returned", "cancelled": "cancelled",
			}[s.reason], s.quantity)
		}
		return g.lines(func(_ []string, f *figures) []string {
			sold, returned, cancelled := f.sums["sold"], -f.sums["returned"], -f.sums["cancelled"]
			return []string{whole(sold), whole(returned), whole(cancelled), ratio(returned, sold), ratio(cancelled, sold)}
		})
	},
	"cohort_retention": func(h *history) []string {
		first := map[[2]string]string{}
		for _, s := range h.confirmed() {
			who := [2]string{s.customer, s.currency}
			if at := s.counted.Format(month); first[who] == "" || at < first[who] {
				first[who] = at
			}
		}
		g := groups{}
		for _, s := range h.confirmed() {
			if s.customer == "" {
				continue
			}
			f := g.of(first[[2]string{s.customer, s.currency}], s.counted.Format(month), s.currency)
			f.distinct("customers", s.customer)
			f.distinct("orders", s.order)
			f.add("revenue", s.micros)
		}
		return g.lines(func(keys []string, f *figures) []string {
			return []string{f.count("customers"), f.count("orders"), money.FormatIn(keys[2], f.sums["revenue"])}
		})
	},
	"rfm": recencyFrequencyMonetary,
	"lost_sales": func(h *history) []string {
		g := groups{}
		placed := map[string]*eventv1.OrderPlacedV2{}
		for _, e := range h.events {
			if p, ok := e.change.(*eventv1.OrderPlacedV2); ok {
				placed[e.order] = p
				continue
			}
			rejected, ok := e.change.(*eventv1.OrderRejected)
			if !ok {
				continue
			}
			for _, short := range rejected.Short {
				for _, line := range placed[e.order].Lines {
					if line.Sku == short.Sku && short.Reason == eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK {
						f := g.of(line.Sku, e.at.Format(day), placed[e.order].Currency)
						f.distinct("orders", e.order)
						f.add("units", line.Quantity)
						f.add("amount", line.Quantity*line.UnitPriceMicros)
					}
				}
			}
		}
		return g.lines(func(keys []string, f *figures) []string {
			return []string{f.count("orders"), whole(f.sums["units"]), money.FormatIn(keys[2], f.sums["amount"])}
		})
	},
	"payments": moneyByDay,
	"order_funnel": func(h *history) []string {
		g := groups{}
		seconds := map[string][]int64{} // by day and steps
		for _, steps := range h.lives() {
			placed := steps["order_placed"].Format(day)
			f := g.of(placed)
			reserved := steps["order_reserved"]
			if reserved.IsZero() {
				reserved = steps["order_backordered"]
			}
			for name, at := range map[string]time.Time{
				"placed": steps["order_placed"], "reserved": reserved, "confirmed": steps["order_confirmed"],
				"shipped": steps["lines_shipped"], "delivered": steps["lines_delivered"],
				"cancelled": steps["order_cancelled"], "expired": steps["order_expired"], "rejected": steps["order_rejected"],
			} {
				if !at.IsZero() {
					f.add(name, 1)
				}
			}
			took := func(name string, from, to time.Time) {
				if !from.IsZero() && !to.IsZero() {
					seconds[placed+name] = append(seconds[placed+name], to.Unix()-from.Unix())
				}
			}
			took("confirmed", steps["order_placed"], steps["order_confirmed"])
			took("shipped", steps["order_confirmed"], steps["lines_shipped"])
			took("delivered", steps["lines_shipped"], steps["lines_delivered"])
		}
		return g.lines(func(keys []string, f *figures) (out []string) {
			for _, name := range []string{
				"placed", "reserved", "confirmed", "shipped", "delivered", "cancelled", "expired", "rejected",
			} {
				out = append(out, whole(f.sums[name]))
			}
			for _, name := range []string{"confirmed", "shipped", "delivered"} {
				out = append(out, quantile(seconds[keys[0]+name], 0.5), quantile(seconds[keys[0]+name], 0.95))
			}
			return out
		})
	},
	"reservation_expiry": func(h *history) []string {
		g := groups{}
		for _, steps := range h.lives() {
			at := steps["order_reserved"]
			if at.IsZero() {
				at = steps["order_backordered"]
			}
			if at.IsZero() {
				continue
			}
			f := g.of(at.Format(day))
			f.add("reserved", 1)
			if !steps["order_expired"].IsZero() {
				f.add("expired", 1)
			}
		}
		return g.lines(func(_ []string, f *figures) []string {
			return []string{
				whole(f.sums["reserved"]), whole(f.sums["expired"]), ratio(f.sums["expired"], f.sums["reserved"]),
			}
		})
	},
}

// quantile is the value below which that share of the values is; empty where there are none.
func quantile(values []int64, level float64) string {
	if len(values) == 0 {
		return ""
	}
	slices.Sort(values)
	return whole(values[min(int(level*float64(len(values))), len(values)-1)])
}

func (h *history) confirmed() []sale {
	return slices.DeleteFunc(slices.Clone(h.sales), func(s sale) bool { return s.reason != "confirmed" })
}

// lives are the first time of each step, by order.
func (h *history) lives() map[string]map[string]time.Time {
	lives := map[string]map[string]time.Time{}
	for _, s := range h.steps {
		if lives[s.order] == nil {
			lives[s.order] = map[string]time.Time{}
		}
		if at := lives[s.order][s.typ]; at.IsZero() || s.at.Before(at) {
			lives[s.order][s.typ] = s.at
		}
	}
	return lives
}

// providersOf are the names of payment providers that the payments of each order have.
func providersOf(h *history) map[string][]string {
	all := map[string][]string{}
	for _, e := range h.events {
		if name := providerOf(e); name != "" && !slices.Contains(all[e.order], name) {
			all[e.order] = append(all[e.order], name)
		}
	}
	return all
}

func providerOf(e event) string {
	if p, ok := e.change.(interface{ GetProvider() string }); ok {
		return p.GetProvider()
	}
	return ""
}

// moneyByDay follows what is due order by order, in the order of their events. A day has a row for each event of money,
// and for each other change after which money is due or let go. What names no provider is of the only one of the order,
// and so is what is due.
func moneyByDay(h *history) []string {
	g, due, currencies := groups{}, map[string]int64{}, map[string]string{}
	providers := providersOf(h)
	for _, e := range h.events {
		var voided, becameDue int64
		moved := map[string]int64{}
		switch c := e.change.(type) {
		case *eventv1.OrderPlacedV2:
			currencies[e.order] = c.Currency
			continue
		case *eventv1.PaymentAuthorizedV3:
			moved["authorized"], voided = c.AmountMicros-c.MatchedMicros, c.VoidedMicros
		case *eventv1.PaymentCapturedV3:
			moved["captured"], moved["authorized"] = c.AmountMicros, c.UnmatchedMicros
			voided, becameDue = -c.UnvoidedMicros, c.RefundDueMicros
		case *eventv1.PaymentVoidedV3:
			voided = c.AmountMicros
		case *eventv1.PaymentRefundedV3:
			moved["refunded"], moved["goodwill"] = c.AmountMicros, c.GoodwillMicros
			becameDue = c.GoodwillMicros - c.AmountMicros
		case *eventv1.PaymentRefunded:
			moved["refunded"], becameDue = c.AmountMicros, -c.AmountMicros
		case *eventv1.LinesCancelledV2:
			voided, becameDue = c.VoidedMicros, c.RefundDueMicros
		case *eventv1.ReturnReceivedV3:
			voided, becameDue = c.VoidedMicros, c.RefundDueMicros
		}
		if !strings.HasPrefix(e.typ, "payment_") && voided == 0 && becameDue == 0 {
			continue
		}
		before := due[e.order]
		due[e.order] = max(0, before+becameDue)
		moved["voided"] = voided
		unnamed := ""
		if len(providers[e.order]) == 1 {
			unnamed = providers[e.order][0]
		}
		of := func(provider string) *figures {
			return g.of(e.at.Format(day), e.at.Format(month), currencies[e.order], provider)
		}
		f := of(cmp.Or(providerOf(e), unnamed))
		for name, micros := range moved {
			f.add(name, micros)
		}
		if due[e.order] != before {
			of(unnamed).add("refund_due", due[e.order]-before)
		}
	}
	return g.lines(func(keys []string, f *figures) (out []string) {
		for _, name := range []string{"authorized", "captured", "voided", "refunded", "goodwill", "refund_due"} {
			out = append(out, money.FormatIn(keys[2], f.sums[name]))
		}
		return out
	})
}

// recencyFrequencyMonetary scores customers from 1 to 5.
func recencyFrequencyMonetary(h *history) []string {
	last := map[string]time.Time{}
	g := groups{}
	var newest time.Time
	for _, s := range h.sales {
		if s.customer == "" {
			continue
		}
		f := g.of(s.customer, s.currency)
		f.add("monetary", s.micros)
		if who := s.customer + "|" + s.currency; s.reason == "confirmed" {
			f.distinct("frequency", s.order)
			if s.counted.After(last[who]) {
				last[who] = s.counted
			}
			if s.counted.After(newest) {
				newest = s.counted
			}
		}
	}
	var moments, counts []int64
	for who, f := range g {
		moments, counts = append(moments, last[who].Unix()), append(counts, int64(len(f.sets["frequency"])))
	}
	score := func(values []int64, v int64) (score int) {
		for _, level := range []float64{0.2, 0.4, 0.6, 0.8} {
			bound, _ := strconv.ParseInt(quantile(values, level), 10, 64)
			if v >= bound {
				score++
			}
		}
		return 1 + score
	}
	segments := [][]string{ // by the scores of recency and frequency
		{"hibernating", "hibernating", "at_risk", "at_risk", "at_risk"},
		{"hibernating", "hibernating", "needs_attention", "loyal", "loyal"},
		{"hibernating", "hibernating", "needs_attention", "loyal", "loyal"},
		{"new", "new", "promising", "champion", "champion"},
		{"new", "new", "promising", "champion", "champion"},
	}
	return g.lines(func(keys []string, f *figures) []string {
		who, frequency := strings.Join(keys, "|"), int64(len(f.sets["frequency"]))
		days := newest.Truncate(24*time.Hour).Sub(last[who].Truncate(24*time.Hour)).Hours() / 24
		segment := segments[score(moments, last[who].Unix())-1][score(counts, frequency)-1]
		return []string{whole(int64(days)), whole(frequency), money.FormatIn(keys[1], f.sums["monetary"]), segment}
	})
}

func TestReadyInsightsAreComputedRight(t *testing.T) {
	conn := database(t)
	h := newHistory(700)
	dice, begin := rand.New(rand.NewPCG(3, 4)), time.Date(2026, 1, 28, 0, 0, 0, 0, time.UTC)
	for n := range 400 {
		at := begin.Add(time.Duration(dice.IntN(40*24)) * time.Hour)
		h.addPayments(dice, fmt.Sprint("paid-", n), []string{"EUR", "JPY", "KWD"}[dice.IntN(3)], at)
	}
	h.insert(t, conn)
	for _, name := range slices.Sorted(maps.Keys(byHand)) {
		d, err := insight.Read("../../schemas/insights/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := d.Preview(t.Context(), conn, insight.MaxPreviewRows)
		if err != nil {
			t.Fatal(err)
		}
		got := answerTexts(answer)
		want := byHand[name](h)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s: row %d of %d is %q, and by hand %q of %d", name, i, len(got), at(got, i), at(want, i), len(want))
				break
			}
		}
		if len(want) < 5 {
			t.Errorf("%s has only %d rows to compare", name, len(want))
		}
	}
}

// answerTexts are the rows of an answer, sorted, as the computations by hand have them: keys and measures with |
// between them.
func answerTexts(answer *insight.Answer) []string {
	var lines []string
	for _, row := range answer.Rows {
		var texts []string
		for _, c := range answer.Columns {
			texts = append(texts, row[c.Name])
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	slices.Sort(lines)
	return lines
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "none"
}
