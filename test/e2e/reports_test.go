package e2e_test

import (
	"os"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/money"
)

// realFile is the path of the data set. It is not part of the project. HOLDFAST_DATA names it, or it is beside the
// checkout. In CI (CI=true) it must be there.
func realFile(t *testing.T) string {
	t.Helper()
	path := os.Getenv("HOLDFAST_DATA")
	if path == "" {
		path = "../../../shared/data/online_retail.csv.xz"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the data set is not there, and must be in CI; HOLDFAST_DATA names it: %v", err)
		}
		t.Skipf("the data set is not there; HOLDFAST_DATA names it: %v", err)
	}
	return path
}

// Figures of the data set, which were computed without this project. Numeric invoices are orders, or adjustments of
// stock if their quantity is below 0. Each adjustment is one row with an invoice of its own.
const (
	realInvoices    = 25_900
	realNumeric     = 22_061
	realAdjustments = 10_624 - realCreditRows // rows below 0 outside C invoices
	realCredits     = 3_836
	realRefused     = 3 // A invoices of a row and a unit each: neither order nor stock
	realRows        = 541_909
	realCreditRows  = 9_288
	realCodes       = 4_070
	realRefusedCode = 1 // B, the A invoices' own
	realCustomers   = 4_372
	realCountries   = 38
	realUnits       = 5_176_450
	realSold        = 5_660_978 // units of orders
	realCredited    = 277_574   // units of C invoices
	realAdjusted    = -206_957
)

// figures are sums over all rows, and over those without C invoices.
type figures struct{ all, sales string }

var (
	realTotal = figures{"9747747.934", "10644560.424"}
	// badDebt are the A invoices, all in August 2011 and the United Kingdom. They are in these figures, but in no report.
	badDebt       = figures{"-11062.06", "-11062.06"}
	badDebtMonth  = "2011-08"
	badDebtPlace  = "United Kingdom"
	realByCountry = map[string]figures{
		"United Kingdom": {"8187806.364", "9003097.964"}, "Netherlands": {"284661.54", "285446.34"},
		"EIRE":    {"263276.82", "283453.96"},
		"Germany": {"221698.21", "228867.14"}, "France": {"197403.90", "209715.11"},
	}
	realByCode = map[string]figures{
		"DOT": {"206245.48", "206248.77"}, "22423": {"164762.19", "174484.74"}, "47566": {"98302.98", "99504.33"},
		"85123A": {"97894.50", "104518.80"}, "85099B": {"92356.03", "94340.05"},
	}
	realByMonth = map[string]figures{
		"2010-12": {"748957.02", "823746.14"}, "2011-01": {"560000.26", "691364.56"}, "2011-02": {"498062.65", "523631.89"},
		"2011-03": {"683267.08", "717639.36"}, "2011-04": {"493207.121", "537808.621"}, "2011-05": {"723333.51", "770536.02"},
		"2011-06": {"691123.12", "761739.90"}, "2011-07": {"681300.111", "719221.191"}, "2011-08": {"682680.51", "737014.26"},
		"2011-09": {"1019687.622", "1058590.172"}, "2011-10": {"1070704.67", "1154979.30"},
		"2011-11": {"1461756.25", "1509496.33"},
		"2011-12": {"433668.01", "638792.68"},
	}
)

func micros(t *testing.T, text string) int64 {
	t.Helper()
	n, err := money.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// revenue reads all pages.
func revenue(t *testing.T, c *client.Client, by string) []client.RevenueRow {
	t.Helper()
	filter := client.ReportFilter{By: by, Currency: "GBP", Limit: 1_000}
	var rows []client.RevenueRow
	for {
		answer, err := c.Revenue(testContext(t), filter)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, answer.Value.Items...)
		if filter.Cursor = answer.Value.NextCursor; filter.Cursor == "" {
			return rows
		}
	}
}

// movements reads all pages.
func movements(t *testing.T, c *client.Client, by string) []client.StockMovementsRow {
	t.Helper()
	filter := client.ReportFilter{By: by, Limit: 1_000}
	var rows []client.StockMovementsRow
	for {
		answer, err := c.StockMovements(testContext(t), filter)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, answer.Value.Items...)
		if filter.Cursor = answer.Value.NextCursor; filter.Cursor == "" {
			return rows
		}
	}
}

// sums are the totals of a report's rows, and both columns of money by key.
type sums struct {
	orders, credits, lines, units int64
	all, sales                    int64
	allOf, salesOf                map[string]int64
}

func add(t *testing.T, rows []client.RevenueRow, key func(client.RevenueRow) string) sums {
	t.Helper()
	s := sums{allOf: map[string]int64{}, salesOf: map[string]int64{}}
	for _, row := range rows {
		all, sales := micros(t, row.Revenue), micros(t, row.Sales)
		if all != sales+micros(t, row.Credits) {
			t.Errorf("%s: %s is not %s and %s", key(row), row.Revenue, row.Sales, row.Credits)
		}
		s.orders, s.credits = s.orders+row.Orders, s.credits+row.CreditNotes
		s.lines, s.units = s.lines+row.Lines, s.units+row.Quantity
		s.all, s.sales = s.all+all, s.sales+sales
		s.allOf[key(row)], s.salesOf[key(row)] = all, sales
	}
	return s
}

// compare compares both columns of money with the figures. Those of the key withDebt include the bad debt.
func (s *sums) compare(t *testing.T, want map[string]figures, withDebt string) {
	t.Helper()
	for key, figures := range want {
		all, sales := s.allOf[key], s.salesOf[key]
		if key == withDebt {
			all, sales = all+micros(t, badDebt.all), sales+micros(t, badDebt.sales)
		}
		if all != micros(t, figures.all) || sales != micros(t, figures.sales) {
			t.Errorf("%s: %s and %s, want %+v", key, money.Format(all), money.Format(sales), figures)
		}
	}
}

// The report API has every figure of the data set, to the last thousandth. Tests of package retail check what reports
// do not have: the three A invoices, which are not imported (TestRealFile), and invoices whose rows are not together or
// span more than a minute (TestReadGroupsRowsIntoDocuments). Rows of C invoices are only in the sum of rows here. The
// reconciliation at the end of the import has them separately.
func TestReportsOfTheRealFile(t *testing.T) {
	file, binary := realFile(t), build(t)
	p := dev(t, binary, t.TempDir())
	p.importFile(t, binary, file)
	c := client.New(p.url)
	months := add(t, revenue(t, c, "month"), func(r client.RevenueRow) string { return r.Month })
	countries := add(t, revenue(t, c, "country"), func(r client.RevenueRow) string { return r.Country })
	codes := add(t, revenue(t, c, "sku"), func(r client.RevenueRow) string { return r.SKU })
	customers := add(t, revenue(t, c, "customer"), func(r client.RevenueRow) string { return r.CustomerID })
	months.compare(t, realByMonth, badDebtMonth)
	countries.compare(t, realByCountry, badDebtPlace)
	codes.compare(t, realByCode, "")
	// Rows without a customer are one more customer.
	if len(months.allOf) != len(realByMonth) || len(countries.allOf) != realCountries ||
		len(customers.allOf) != realCustomers+1 {
		t.Errorf("%d months, %d countries, %d customers", len(months.allOf), len(countries.allOf), len(customers.allOf))
	}
	for by, s := range map[string]sums{"month": months, "country": countries, "sku": codes, "customer": customers} {
		all, sales := s.all+micros(t, badDebt.all), s.sales+micros(t, badDebt.sales)
		if all != micros(t, realTotal.all) || sales != micros(t, realTotal.sales) {
			t.Errorf("by %s: in all %s, without C invoices %s", by, money.Format(all), money.Format(sales))
		}
		if s.lines != realRows-realAdjustments-realRefused || s.units != realUnits-realAdjusted-realRefused {
			t.Errorf("by %s: %d lines, %d units", by, s.lines, s.units)
		}
		// A document counts once for each code in it.
		if by != "sku" && (s.orders != realNumeric-realAdjustments || s.credits != realCredits ||
			s.orders+s.credits != realInvoices-realAdjustments-realRefused) {
			t.Errorf("by %s: %d orders, %d credit notes", by, s.orders, s.credits)
		}
	}
	checkTop(t, revenue(t, c, "sku"))
	checkStock(t, c)
}

// checkTop checks that the codes with the most revenue come first.
func checkTop(t *testing.T, rows []client.RevenueRow) {
	t.Helper()
	for _, row := range rows[:len(realByCode)] {
		if _, ok := realByCode[row.SKU]; !ok {
			t.Errorf("%s is among the first", row.SKU)
		}
	}
}

// checkStock compares units that orders fulfilled, that credit notes restocked, and that were adjusted.
func checkStock(t *testing.T, c *client.Client) {
	t.Helper()
	byType := map[string]client.StockMovementsRow{}
	for _, row := range movements(t, c, "type") {
		byType[row.Type] = row
	}
	adjusted := byType["stock_adjusted"]
	if adjusted.Movements != realAdjustments || adjusted.Net != realAdjusted {
		t.Errorf("adjusted %+v", adjusted)
	}
	sold, credited := byType["stock_fulfilled"].UnitsOut, byType["stock_restocked"].UnitsIn
	if sold != realSold || credited != realCredited || sold-credited+adjusted.Net+realRefused != realUnits {
		t.Errorf("%+v", byType)
	}
	if rows := movements(t, c, "sku"); len(rows) != realCodes-realRefusedCode {
		t.Errorf("%d stock codes", len(rows))
	}
}
