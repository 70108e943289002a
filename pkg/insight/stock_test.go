package insight_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/money"
)

// The insights about stock are compared with figures that are computed here from one moment to the next, without SQL.

// stockMove is a row of the table stock_ledger.
type stockMove struct {
	at                                time.Time
	sku, location, reason, order, typ string
	onHand, available                 int64 // changes
	incoming                          int64
	unitCost                          int64
	costCurrency                      string
}

// stockHistory is a made-up warehouse over five months: eight items that are often sold out, sometimes for a whole
// month, and one that was only expected. Moves are in the order of their recording, which is not that of their times.
// Some happen at the same time.
func stockHistory(seed uint64) []stockMove {
	dice := rand.New(rand.NewPCG(seed, seed))
	begin := time.Date(2026, 2, 12, 7, 0, 0, 0, time.UTC)
	var moves []stockMove
	for item := range 8 {
		at, sku := begin.Add(time.Duration(item)*100*time.Hour), fmt.Sprint("item ", item)
		main, north := int64(0), int64(0)
		for range 30 + dice.IntN(60) {
			switch dice.IntN(12) {
			case 0: // the same moment
			case 1:
				at = at.Add(time.Duration(dice.IntN(45*24)) * time.Hour)
			default:
				at = at.Add(time.Duration(dice.IntN(200_000_000_000)) * time.Microsecond)
			}
			if at.After(begin.AddDate(0, 5, 0)) {
				break
			}
			m := stockMove{at: at, sku: sku, location: "main"}
			n := 1 + dice.Int64N(20)
			switch dice.IntN(12) {
			case 0, 1, 2:
				m.reason, m.onHand, m.available = "received", n, n
				if m.costCurrency = []string{"", "EUR", "EUR", "JPY"}[dice.IntN(4)]; m.costCurrency != "" {
					m.unitCost = dice.Int64N(5_000_000)
				}
			case 3:
				m.order, m.available = "o", -n
			case 4, 5:
				m.order, m.onHand, m.available = "o", -main, -main
			case 6:
				m.order, m.onHand, m.available = "o", -n, -n
			case 7:
				m.order, m.reason, m.onHand, m.available = "o", "return", n, n/2
			case 8: // a transfer
				m.typ, m.onHand, m.available = "transfer_shipped", -main, -main
				moves = append(moves, stockMove{at: at, sku: sku, location: "north", typ: m.typ, incoming: main})
				arrived := main - main/8
				moves = append(moves, stockMove{
					at: at.Add(time.Duration(dice.IntN(90)) * time.Hour), sku: sku, location: "north", typ: "transfer_received",
					onHand: arrived, available: arrived, incoming: -main,
				})
				north += arrived
			case 9:
				m.location, m.reason, m.onHand, m.available = "north", "shrinkage", -north, -north
				north = 0
			case 10:
				m.reason = []string{"return", "received", "cycle_count"}[dice.IntN(3)]
				m.onHand, m.available = n-8, n-8
			case 11: // what is noticed late
				m.at = m.at.Add(-time.Duration(dice.IntN(40*24)) * time.Hour)
				m.order, m.onHand, m.available = "o", -n, -n
			}
			if m.location == "main" {
				main += m.available
			}
			moves = append(moves, m)
		}
	}
	moves = append(moves, stockMove{at: begin.AddDate(0, 1, 0), sku: "expected", location: "main", incoming: 9})
	dice.Shuffle(len(moves), func(i, j int) { moves[i], moves[j] = moves[j], moves[i] })
	return moves
}

// insertStock fills the table stock_ledger. It returns the offset behind the last one.
func insertStock(t *testing.T, conn *clickhouse.Conn, moves []stockMove) int64 {
	t.Helper()
	offset := int64(0)
	number := func(name string, value func(stockMove) int64) clickhouse.Column {
		return column(moves, name, "Int64", value)
	}
	err := conn.Insert(t.Context(), "stock_ledger", []clickhouse.Column{
		number("offset", func(stockMove) int64 { offset++; return offset }),
		number("partition", func(m stockMove) int64 { return int64(m.sku[len(m.sku)-1]) & 1 }),
		column(moves, "sku", "String", func(m stockMove) string { return m.sku }),
		column(moves, "location", "String", func(m stockMove) string { return m.location }),
		column(moves, "reason", "String", func(m stockMove) string { return m.reason }),
		column(moves, "order_id", "String", func(m stockMove) string { return m.order }),
		number("on_hand_delta", func(m stockMove) int64 { return m.onHand }),
		number("available_delta", func(m stockMove) int64 { return m.available }),
		number("incoming_delta", func(m stockMove) int64 { return m.incoming }),
		column(moves, "type", "String", func(m stockMove) string { return m.typ }),
		number("unit_cost_micros", func(m stockMove) int64 { return m.unitCost }),
		column(moves, "cost_currency", "String", func(m stockMove) string { return m.costCurrency }),
		column(moves, "occurred_at", "DateTime64(6, 'UTC')", func(m stockMove) time.Time { return m.at }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return offset + 1
}

// levels are what there was, and from when, in the order of time. The last one is up to now.
type levels struct {
	units []int64
	since []time.Time
}

// levelsOf adds up changes from one moment to the next.
func levelsOf(moves []stockMove, change func(stockMove) int64) (l levels) {
	slices.SortStableFunc(moves, func(a, b stockMove) int { return a.at.Compare(b.at) })
	level := int64(0)
	for _, m := range moves {
		if change(m) == 0 {
			continue
		}
		level += change(m)
		if n := len(l.since); n > 0 && l.since[n-1].Equal(m.at) {
			l.units[n-1] = level
			continue
		}
		l.units, l.since = append(l.units, level), append(l.since, m.at)
	}
	return l
}

// each calls fn for each part of a month with one level. first: the level begins with it.
func (l levels) each(zone *time.Location, now time.Time, fn func(month string, level, micros int64, first bool)) {
	for i, from := range l.since {
		end := now
		if i+1 < len(l.since) {
			end = l.since[i+1]
		}
		for first := true; first || from.Before(end); first = false {
			local := from.In(zone)
			until := time.Date(local.Year(), local.Month()+1, 1, 0, 0, 0, 0, zone)
			if until.After(end) {
				until = end
			}
			fn(local.Format(month), l.units[i], until.Sub(from).Microseconds(), first)
			from = until
		}
	}
}

func newest(moves []stockMove) (at time.Time) {
	for _, m := range moves {
		if m.at.After(at) {
			at = m.at
		}
	}
	return at
}

func by(moves []stockMove, key func(stockMove) string) map[string][]stockMove {
	groups := map[string][]stockMove{}
	for _, m := range moves {
		groups[key(m)] = append(groups[key(m)], m)
	}
	return groups
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func stockOutByHand(moves []stockMove, zone *time.Location) []string {
	g, now := groups{}, newest(moves)
	for key, moves := range by(moves, func(m stockMove) string { return m.sku + "|" + m.location }) {
		before := int64(1)
		l := levelsOf(moves, func(m stockMove) int64 { return m.available })
		l.each(zone, now, func(month string, level, micros int64, first bool) {
			if begins := first && before > 0; level <= 0 && (micros > 0 || begins) {
				f := g.of(key, month)
				f.add("micros", micros)
				if begins {
					f.add("times", 1)
				}
			}
			before = level
		})
	}
	return g.lines(func(_ []string, f *figures) []string {
		return []string{decimal(float64(f.sums["micros"]) / 1e6), whole(f.sums["times"])}
	})
}

// averageStockByHand computes the insights with an average on hand; ratio is theirs.
func averageStockByHand(
	moves []stockMove, zone *time.Location, ratio func(received, sold, unitMicros, micros int64) string,
) []string {
	g := groups{}
	now := newest(moves)
	onHand := func(m stockMove) int64 { return m.onHand }
	oldest := levelsOf(slices.Clone(moves), onHand).since[0]
	for sku, moves := range by(moves, func(m stockMove) string { return m.sku }) {
		l := levelsOf(moves, onHand)
		if len(l.since) == 0 {
			continue
		}
		for _, m := range moves {
			f := g.of(sku, m.at.In(zone).Format(month))
			if m.reason == "received" {
				f.add("received", m.onHand)
			}
			if m.order != "" || m.reason == "return" {
				f.add("sold", -m.onHand)
			}
		}
		// Nothing was there from the beginning of the first month on, or that of the platform.
		local := l.since[0].In(zone)
		begin := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, zone)
		if begin.Before(oldest) {
			begin = oldest
		}
		l.units, l.since = slices.Insert(l.units, 0, 0), slices.Insert(l.since, 0, begin)
		l.each(zone, now, func(month string, level, micros int64, _ bool) {
			f := g.of(sku, month)
			f.add("unit micros", level*micros)
			f.add("micros", micros)
		})
	}
	return g.lines(func(_ []string, f *figures) []string {
		received, sold, area, micros := f.sums["received"], f.sums["sold"], f.sums["unit micros"], f.sums["micros"]
		return []string{whole(received), whole(sold), quotient(area, micros), ratio(received, sold, area, micros)}
	})
}

// costByHand gives each unit of an item a place in a queue, and goes through the months with a pointer to the front.
func costByHand(moves []stockMove, zone *time.Location) []string {
	g, now := groups{}, newest(moves).In(zone).Format(month)
	for sku, moves := range by(moves, func(m stockMove) string { return m.sku }) {
		slices.SortStableFunc(moves, func(a, b stockMove) int { return a.at.Compare(b.at) })
		var queue []stockMove // the receipt of each unit
		sold, lost := map[string]int64{}, map[string]int64{}
		first := ""
		for _, m := range moves {
			in := m.at.In(zone).Format(month)
			if first == "" && m.onHand != 0 {
				first = in
			}
			switch {
			case m.order != "" || m.reason == "return":
				sold[in] -= m.onHand
			case m.reason == "received" && m.onHand > 0:
				queue = append(queue, slices.Repeat([]stockMove{m}, int(m.onHand))...)
			case m.typ != "":
				lost[in] -= m.onHand + m.incoming
			default:
				lost[in] -= m.onHand
			}
		}
		receiptOf := func(unit int64) stockMove {
			if unit < 0 || unit >= int64(len(queue)) {
				return stockMove{}
			}
			return queue[unit]
		}
		front := int64(0)
		for in := first; in != "" && in <= now; in = following(in) {
			count := func(from, to, sign int64, units, cost string) {
				for unit := from; unit < to; unit++ {
					receipt := receiptOf(unit)
					f := g.of(sku, in, receipt.costCurrency)
					f.add(units, sign)
					f.add(cost, sign*receipt.unitCost)
				}
			}
			came := int64(0)
			for _, m := range queue {
				if m.at.In(zone).Format(month) <= in {
					came++
				}
			}
			count(front, front+sold[in], 1, "sold", "cost")
			count(front+sold[in], front, -1, "sold", "cost")
			front += sold[in] + lost[in]
			count(front, came, 1, "stock", "stock cost")
			for range front - came { // the books have less than nothing
				g.of(sku, in, "").add("stock", -1)
			}
		}
	}
	return g.lines(func(keys []string, f *figures) []string {
		amount := func(name string) string {
			if keys[2] == "" {
				return ""
			}
			return money.FormatIn(keys[2], f.sums[name])
		}
		return []string{whole(f.sums["sold"]), amount("cost"), whole(f.sums["stock"]), amount("stock cost")}
	})
}

// following is the month after another one.
func following(in string) string {
	begin, err := time.Parse(month, in)
	if err != nil {
		panic(err)
	}
	return begin.AddDate(0, 1, 0).Format(month)
}

// quotient is empty where there is nothing to divide by.
func quotient(a, b int64) string {
	if b == 0 {
		return ""
	}
	return decimal(float64(a) / float64(b))
}

var stockByHand = map[string]func(moves []stockMove, zone *time.Location) []string{
	"stock_out":     stockOutByHand,
	"cost_of_goods": costByHand,
	"sell_through": func(moves []stockMove, zone *time.Location) []string {
		return averageStockByHand(moves, zone, func(received, sold, _, _ int64) string {
			return quotient(sold, max(received, 0))
		})
	},
	"turnover": func(moves []stockMove, zone *time.Location) []string {
		return averageStockByHand(moves, zone, func(_, sold, area, micros int64) string {
			if area <= 0 {
				return ""
			}
			return decimal(float64(sold) / (float64(area) / float64(micros)))
		})
	},
	"days_of_supply": func(moves []stockMove, zone *time.Location) []string {
		return averageStockByHand(moves, zone, func(_, sold, area, _ int64) string {
			if area < 0 || sold <= 0 {
				return ""
			}
			return decimal(float64(area) / 86_400e6 / float64(sold))
		})
	},
}

// The insights about stock say what is computed by hand, in any time zone. So do their tables, in whatever parts they
// were filled.
func TestStockInsightsAreComputedRight(t *testing.T) {
	for seed, zone := range []string{"UTC", "Europe/London", "America/St_Johns"} {
		conn := database(t)
		moves := stockHistory(uint64(seed))
		end := insertStock(t, conn, moves)
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(stockByHand)) {
			text, err := os.ReadFile("../../schemas/insights/" + name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			d, err := insight.Parse(name, append(text, "zone: "+zone+"\n"...))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := d.Preview(t.Context(), conn, insight.MaxPreviewRows)
			if err != nil {
				t.Fatal(err)
			}
			got := answerTexts(answer)
			want := stockByHand[name](slices.Clone(moves), location)
			for i := range max(len(got), len(want)) {
				if at(got, i) != at(want, i) {
					t.Errorf("%s in %s: row %d of %d is %q, and by hand %q of %d",
						name, zone, i, len(got), at(got, i), at(want, i), len(want))
					break
				}
			}
			if len(want) < 20 {
				t.Errorf("%s in %s has only %d rows to compare", name, zone, len(want))
			}
			dice := rand.New(rand.NewPCG(uint64(seed), 4))
			compareRollups(t, conn, filledInParts(t, conn, d, dice, eventlog.TopicInventory, end), nil, nil)
		}
	}
}
