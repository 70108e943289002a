package queries

import (
	"errors"
	"net/url"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// clientsFault fails unless an error is a problem of the client's making.
func clientsFault(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.HTTPStatus() < 400 || p.HTTPStatus() > 499 {
		t.Fatalf("not a problem of the client's making: %v", err)
	}
}

// FuzzListCursor: a cursor is refused, or it is what this list made of its place.
func FuzzListCursor(f *testing.F) {
	q := listQuery{Filter: orderview.Filter{CustomerID: "c-1", Status: "reserved"}}
	f.Add("c-1", "reserved", q.cursor("AAAAAAAAAAA"))
	f.Add("c-1", "reserved", "")
	f.Add("", "", listQuery{}.cursor("!")+"\n")
	f.Fuzz(func(t *testing.T, customerID, status, cursor string) {
		q := listQuery{Filter: orderview.Filter{CustomerID: customerID, Status: status}}
		if err := q.resume(cursor); err != nil {
			clientsFault(t, err)
			return
		}
		if cursor != "" && q.cursor(q.after) != cursor {
			t.Fatalf("%q stands for %q, whose cursor is %q", cursor, q.after, q.cursor(q.after))
		}
	})
}

// FuzzReportQuery: the query of a report is refused, or within its limits and with a cursor of its own.
func FuzzReportQuery(f *testing.F) {
	all := []string{"by", "from", "to", "tz", "currency", "sku", "location", "limit", "cursor"}
	r := &report{by: []analytics.Dimension{"month", "sku"}, parameters: all}
	f.Add("by=month&from=2011-01-01&to=2012-01-01T00:00:00Z&limit=5")
	f.Add("by=sku&cursor=" + encodeCursor(url.Values{"by": {"sku"}}, `["1"]`))
	f.Add("by=sku&by=sku&limit=0&from=1&sku=%00")
	f.Fuzz(func(t *testing.T, query string) {
		parameters, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := r.parse(parameters, false)
		if err != nil {
			clientsFault(t, err)
			return
		}
		if q.Limit < 1 || q.Limit > MaxReportPage || (!q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To)) {
			t.Fatalf("%s: %+v", query, q)
		}
		if cursor := parameters.Get("cursor"); cursor != "" && encodeCursor(parameters, q.After) != cursor {
			t.Fatalf("%q stands for %q", cursor, q.After)
		}
	})
}
