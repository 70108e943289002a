package insight_test

import (
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
)

// The questions about margin and turnover that docs/insights.md writes down say what they promise.
func TestMarginAndTurnoverOfTheDocs(t *testing.T) {
	conn := database(t)
	at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 12, 0, 0, 0, time.UTC) }
	sold := func(order string, quantity, micros int64, when time.Time) sale {
		return sale{order: order, currency: "GBP", sku: "item 0", reason: "confirmed", quantity: quantity, micros: micros,
			ordered: when, counted: when}
	}
	h := &history{sales: []sale{sold("o-1", 6, 15_300_000, at(1, 9)), sold("o-2", 2, 5_100_000, at(2, 9))}}
	received := func(day int, quantity, micros int64, currency string) stockMove {
		return stockMove{at: at(1, day), sku: "item 0", reason: "received", onHand: quantity, unitCost: micros,
			costCurrency: currency}
	}
	moves := []stockMove{
		received(1, 4, 1_000_000, "GBP"), received(2, 4, 1_250_000, "GBP"), received(3, 9, 2_000_000, "EUR"),
		{at: at(1, 20), sku: "item 0", order: "o-1", onHand: -6}, {at: at(2, 20), sku: "item 0", order: "o-2", onHand: -2},
	}
	dice := rand.New(rand.NewPCG(1, 1))
	h.insert(t, conn)
	const end = 8 // beyond all offsets
	if n := insertStock(t, conn, moves); n > end {
		t.Fatal(n)
	}
	for name, topic := range map[string]string{
		"revenue": eventlog.TopicOrders, "cost_of_goods": eventlog.TopicInventory,
	} {
		d, err := insight.Read("../../schemas/insights/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, view := range filledInParts(t, conn, d, dice, topic, end).Views() {
			if err := conn.Exec(t.Context(), view.Statement(name), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	page, err := os.ReadFile("../../docs/insights.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## What goods cost")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for _, sql := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, -1) {
		got = append(got, textRows(t, conn, sql[1])...)
	}
	want := []string{
		"('2026-01','GBP',15.3,6.5,8.8)", "('2026-02','GBP',5.1,2.5,2.6)", // margin
		// 9.00 were sold. At the end of January 2.50 were in stock, and then nothing: 0.208 on average.
		"('EUR',0)", "('GBP',43.2)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("they say %q, want %q", got, want)
	}
}

// textRows are the rows of a query, as ClickHouse writes a tuple.
func textRows(t *testing.T, conn *clickhouse.Conn, query string) (lines []string) {
	t.Helper()
	query = "SELECT toString(tuple(*)) FROM (" + query + ")"
	err := conn.Each(t.Context(), query, nil, nil, func(rows clickhouse.Rows) error {
		var line string
		err := rows.Scan(&line)
		lines = append(lines, line)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return lines
}
