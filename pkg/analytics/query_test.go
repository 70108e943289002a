package analytics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
)

func table(r *analytics.Report) string {
	var b strings.Builder
	for _, row := range r.Rows {
		fmt.Fprintln(&b, strings.Join(row, " "))
	}
	return b.String()
}

func TestRevenueOfImports(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	f.mirror()
	f.exact()
	reports := analytics.NewReports(f.conn)
	for _, by := range analytics.RevenueDimensions {
		all, err := reports.Revenue(f.ctx, analytics.ReportQuery{By: by, Limit: 1000})
		if err != nil {
			t.Fatal(by, err)
		}
		var paged analytics.Report
		for {
			page, err := reports.Revenue(f.ctx, analytics.ReportQuery{By: by, Limit: 2, After: paged.Next})
			if err != nil {
				t.Fatal(by, err)
			}
			paged.Rows = append(paged.Rows, page.Rows...)
			if paged.Next = page.Next; paged.Next == "" {
				break
			}
		}
		if table(all) != table(&paged) {
			t.Errorf("by %s: pages have\n%s, all\n%s", by, table(&paged), table(all))
		}
		t.Logf("%s\n%s", by, table(all))
	}
	for _, by := range analytics.StockDimensions {
		all, err := reports.StockMovements(f.ctx, analytics.ReportQuery{By: by, Limit: 1000})
		if err != nil {
			t.Fatal(by, err)
		}
		t.Logf("%s\n%s", by, table(all))
	}
}
