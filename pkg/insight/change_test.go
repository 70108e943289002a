package insight_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/insight"
)

const compared = `name: compared
description: Units by SKU.
source: sales
where: quantity > 0
keys:
  sku: sku
  month: toStartOfMonth(time)
measures:
  units: {sql: sum(quantity), unit: count}
  orders: {sql: uniqExact(order_id), unit: count}
`

// What is said of a change of a file is what readers of the insight would notice.
func TestChangesOfDefinitions(t *testing.T) {
	parse := func(text string) *insight.Definition {
		d, err := insight.Parse("compared.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	replace := func(old, with string) string { return strings.Replace(compared, old, with, 1) }
	live := parse(compared)
	for _, test := range []struct {
		name, text, change string
		differences        string
	}{
		{"nothing", compared, "unchanged", "[]"},
		{"a comment and spaces", replace("sum(quantity)", "sum( quantity /* units */ )"), "unchanged", "[]"},
		{"the description", replace("Units by SKU.", "Units."), "unchanged", "[{description Units by SKU. Units.}]"},
		{"a unit of the same number", replace("orders: {sql: uniqExact(order_id), unit: count}",
			"orders: {sql: uniqExact(order_id), unit: ratio}"), "unchanged", "[{measures.orders.unit count ratio}]"},
		{"a unit that is text", replace("unit: count", "unit: text"), "changed", "[{measures.units.unit count text}]"},
		{"a measure more", compared + "  lines: {sql: count(), unit: count}\n", "additive", "[{measures.lines  count ( )}]"},
		{"a measure less", replace("  orders: {sql: uniqExact(order_id), unit: count}\n", ""), "changed",
			"[{measures.orders uniqExact ( order_id ) }]"},
		{"a measure that is another", replace("sum(quantity)", "max(quantity)"), "changed",
			"[{measures.units sum ( quantity ) max ( quantity )}]"},
		{"a key more", replace("  sku: sku\n", "  sku: sku\n  country: country\n"), "changed", "[{keys.country  country}]"},
		{"other rows", replace("quantity > 0", "quantity > 1"), "changed", "[{where quantity > 0 quantity > 1}]"},
		{"another source", replace("source: sales", "source: order_lines"), "changed",
			"[{source sales order_lines} {time counted_at occurred_at}]"},
		{"another order of keys", replace("  sku: sku\n  month: toStartOfMonth(time)\n",
			"  month: toStartOfMonth(time)\n  sku: sku\n"), "changed", "[{keys sku, month month, sku}]"},
		{"another zone", replace("source: sales", "source: sales\nzone: Europe/London"), "changed",
			"[{zone UTC Europe/London}]"},
		{"other sets of keys", compared + "rollups:\n  - [sku]\n  - [sku, month]\n", "additive",
			"[{rollups  [sku], [sku, month]}]"},
	} {
		got, differences := insight.Changes(live, parse(test.text))
		if string(got) != test.change || fmt.Sprint(differences) != test.differences {
			t.Errorf("%s: %s %v, want %s %s", test.name, got, differences, test.change, test.differences)
		}
		if same := live.Fingerprint() == parse(test.text).Fingerprint(); same != (got == insight.Unchanged) {
			t.Errorf("%s: %s, and the fingerprint says otherwise", test.name, got)
		}
	}
	amount := strings.Replace(compared, "  month: toStartOfMonth(time)\n", "  currency: currency\n", 1)
	money := parse(strings.Replace(amount, "unit: count", "unit: money", 1))
	for _, pair := range [][2]*insight.Definition{{parse(amount), money}, {money, parse(amount)}} {
		if got, d := insight.Changes(pair[0], pair[1]); got != insight.Changed || len(d) != 1 {
			t.Errorf("to or from money: %s %v", got, d)
		}
		if pair[0].Fingerprint() == pair[1].Fingerprint() {
			t.Error("money has the fingerprint of a count")
		}
	}
	if got, _ := insight.Changes(nil, live); got != insight.New {
		t.Errorf("without a live one: %s", got)
	}
}
