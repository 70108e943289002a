package queries

import (
	"errors"
	"net/url"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
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

// FuzzOrderQuery: the query of a list of orders is refused, or within its limits and with a cursor of its own.
func FuzzOrderQuery(f *testing.F) {
	f.Add("customer_id=c-1&status=reserved&cursor=" +
		encodeCursor(url.Values{"customer_id": {"c-1"}, "status": {"reserved"}}, "AAAAAAAAAAA"))
	f.Add("sku=A1&placed_from=2011-01-01&placed_to=2012-01-01T00:00:00Z&limit=5&metadata[a]=b")
	f.Add("currency=EUR&min_total=-1&max_total=1e9&deadline_to=1&kind=&number=0&cursor=\n")
	f.Fuzz(func(t *testing.T, query string) {
		parameters, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := (&orderAPI{}).parse(parameters, false)
		if err != nil {
			clientsFault(t, err)
			return
		}
		from, to := q.Placed.From, q.Placed.To
		if q.limit < 1 || q.limit > MaxPage || !from.IsZero() && !to.IsZero() && !from.Before(to) {
			t.Fatalf("%s: %+v", query, q)
		}
		if cursor := parameters.Get("cursor"); cursor != "" && encodeCursor(parameters, q.after) != cursor {
			t.Fatalf("%q stands for %q", cursor, q.after)
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
