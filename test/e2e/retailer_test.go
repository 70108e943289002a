package e2e_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeRetailer writes a file in the form of the Online Retail data set, the same one each time: orders of a few lines
// over half a year, credit notes for some of them, adjustments of stock, and one invoice that an import rejects. It
// returns the file's path and its SKUs.
func writeRetailer(t *testing.T, orders int) (path string, skus []string) {
	t.Helper()
	const skuCount, days = 60, 180
	rng := rand.New(rand.NewPCG(7, 0))
	rows := [][]string{{
		"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
	}}
	row := func(invoice string, sku, quantity int, at time.Time, price, customer, country string) {
		rows = append(rows, []string{
			invoice, fmt.Sprint(20_000 + sku), fmt.Sprint("ITEM ", sku), fmt.Sprint(quantity),
			at.Format("2006-01-02 15:04:05"), price, customer, country,
		})
	}
	for n := range orders {
		at := time.Date(2025, 3, 1+n*days/orders, 8, n%60, 0, 0, time.UTC)
		customer, country := fmt.Sprint(12_000+rng.IntN(40), ".0"), []string{"Germany", "France"}[n%2]
		if n%5 == 0 {
			customer = "" // bought without an account
		}
		for line := range 1 + rng.IntN(6) {
			sku := (n + 7*line) % skuCount
			quantity := 1 + rng.IntN(9)
			price := fmt.Sprintf("%d.%02d", sku/10, 5+sku)
			row(fmt.Sprint(600_000+n), sku, quantity, at, price, customer, country)
			if line == 0 && n%15 == 0 {
				row(fmt.Sprint("C", 700_000+n), sku, -1, at.Add(time.Minute), price, customer, country)
			}
		}
		if n%50 == 0 {
			row(fmt.Sprint(800_000+n), n%skuCount, -2, at.Add(2*time.Minute), "0.0", "", country)
		}
	}
	for sku := range skuCount {
		skus = append(skus, fmt.Sprint(20_000+sku))
	}
	rows = append(rows, []string{
		"A900000", "B", "Adjust bad debt", "1", "2025-06-01 12:00:00", "1062.06", "", "Germany",
	})
	path = filepath.Join(t.TempDir(), "retailer.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(csv.NewWriter(f).WriteAll(rows), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path, skus
}
