package e2e_test

import (
	"context"
	"os"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/money"
)

// realFile is the data set's place. The project does not hold a copy: HOLDFAST_DATA names it, or it lies beside the
// checkout.
func realFile(t *testing.T) string {
	t.Helper()
	path := os.Getenv("HOLDFAST_DATA")
	if path == "" {
		path = "../../../shared/data/online_retail.csv.xz"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the data set is not there: %v", err)
	}
	return path
}

// badDebt are the three rows of A invoices, all in August 2011 and the United Kingdom: no order and no stock, so they
// are not imported. The figures below hold them.
const badDebt = "-11062.06"

// realMonths are all rows, and those without credit notes, computed independently.
var realMonths = map[string]struct{ all, sales string }{
	"2010-12": {"748957.02", "823746.14"}, "2011-01": {"560000.26", "691364.56"}, "2011-02": {"498062.65", "523631.89"},
	"2011-03": {"683267.08", "717639.36"}, "2011-04": {"493207.121", "537808.621"}, "2011-05": {"723333.51", "770536.02"},
	"2011-06": {"691123.12", "761739.90"}, "2011-07": {"681300.111", "719221.191"}, "2011-08": {"682680.51", "737014.26"},
	"2011-09": {"1019687.622", "1058590.172"}, "2011-10": {"1070704.67", "1154979.30"}, "2011-11": {"1461756.25", "1509496.33"},
	"2011-12": {"433668.01", "638792.68"},
}

var realCountries = map[string]string{
	"United Kingdom": "8187806.364", "Netherlands": "284661.54", "EIRE": "263276.82", "Germany": "221698.21", "France": "197403.90",
}

var realSKUs = map[string]string{
	"DOT": "206245.48", "22423": "164762.19", "47566": "98302.98", "85123A": "97894.50", "85099B": "92356.03",
}

func micros(t *testing.T, text string) int64 {
	t.Helper()
	n, err := money.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// revenue asks for all pages.
func revenue(t *testing.T, c *client.Client, by, position string) []client.RevenueRow {
	t.Helper()
	filter := client.ReportFilter{By: by, Currency: "GBP", Limit: 1_000}
	var rows []client.RevenueRow
	for {
		answer, err := c.Revenue(testContext(t), filter, client.After(position))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, answer.Value.Items...)
		if filter.Cursor = answer.Value.NextCursor; filter.Cursor == "" {
			return rows
		}
	}
}

// Every figure that is known of the data set comes out of the report API, to the last thousandth.
func TestReportsOfTheRealFile(t *testing.T) {
	file, binary := realFile(t), build(t)
	p := dev(t, binary, t.TempDir())
	p.importFile(t, binary, file)
	c := client.New(p.url)
	debt := micros(t, badDebt)
	var total, sales, lines, quantity int64
	months := revenue(t, c, "month", "")
	if len(months) != len(realMonths) {
		t.Errorf("%d months", len(months))
	}
	for _, row := range months {
		want, all, sold := realMonths[row.Month], micros(t, row.Revenue), micros(t, row.Sales)
		if row.Month == "2011-08" {
			all, sold = all+debt, sold+debt
		}
		if all != micros(t, want.all) || sold != micros(t, want.sales) {
			t.Errorf("%s: %s and %s, want %+v", row.Month, money.Format(all), money.Format(sold), want)
		}
		total, sales, lines, quantity = total+all, sales+sold, lines+row.Lines, quantity+row.Quantity
	}
	if total != micros(t, "9747747.934") || sales != micros(t, "10644560.424") {
		t.Errorf("in all %s, without credit notes %s", money.Format(total), money.Format(sales))
	}
	countries := revenue(t, c, "country", "")
	found := map[string]int64{"United Kingdom": debt}
	for _, row := range countries {
		found[row.Country] += micros(t, row.Revenue)
	}
	if len(countries) != 38 {
		t.Errorf("%d countries", len(countries))
	}
	for country, want := range realCountries {
		if found[country] != micros(t, want) {
			t.Errorf("%s: %s, want %s", country, money.Format(found[country]), want)
		}
	}
	top := map[string]string{}
	for _, row := range revenue(t, c, "sku", "")[:len(realSKUs)] { // most revenue first
		top[row.SKU] = row.Revenue
	}
	for sku, want := range realSKUs {
		if micros(t, top[sku]) != micros(t, want) {
			t.Errorf("%s: %s, want %s", sku, top[sku], want)
		}
	}
	if customers := revenue(t, c, "customer", ""); len(customers) != 4_372+1 { // and those without a number, as one
		t.Errorf("%d customers", len(customers))
	}
	checkUnits(t, c, lines, quantity)
}

// checkUnits compares rows and units: documents by their lines, adjustments of stock by their movements.
func checkUnits(t *testing.T, c *client.Client, lines, quantity int64) {
	t.Helper()
	answer, err := c.StockMovements(context.Background(), client.ReportFilter{By: "type"})
	if err != nil {
		t.Fatal(err)
	}
	byType := map[string]client.StockMovementsRow{}
	for _, row := range answer.Value.Items {
		byType[row.Type] = row
	}
	adjusted := byType["stock_adjusted"]
	if n := lines + adjusted.Movements + 3; n != 541_909 {
		t.Errorf("%d rows", n)
	}
	if n := quantity + adjusted.Net + 3; n != 5_176_450 { // each bad debt is of one unit
		t.Errorf("%d units", n)
	}
	if adjusted.Movements != 10_624-9_288 {
		t.Errorf("%d adjustments", adjusted.Movements)
	}
}
