package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/command"
)

// clientsFault fails unless an error is a problem of the client's making.
func clientsFault(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*command.Problem](err)
	if !ok || p.HTTPStatus() < 400 || p.HTTPStatus() > 499 {
		t.Fatalf("not a problem of the client's making: %v", err)
	}
}

// FuzzListCursor: a cursor is refused, or it is what this list made of its place.
func FuzzListCursor(f *testing.F) {
	q := listQuery{customerID: "c-1", status: "reserved"}
	f.Add("c-1", "reserved", q.cursor("AAAAAAAAAAA"))
	f.Add("c-1", "reserved", "")
	f.Add("", "", listQuery{}.cursor("!")+"\n")
	f.Fuzz(func(t *testing.T, customerID, status, cursor string) {
		q := listQuery{customerID: customerID, status: status}
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
	all := []string{"by", "from", "to", "currency", "sku", "location", "limit", "cursor"}
	r := &report{by: []analytics.Dimension{"month", "sku"}, parameters: all}
	f.Add("by=month&from=2011-01-01&to=2012-01-01T00:00:00Z&limit=5")
	f.Add("by=sku&cursor=" + r.cursor(url.Values{"by": {"sku"}}, `["1"]`))
	f.Add("by=sku&by=sku&limit=0&from=1&sku=%00")
	f.Fuzz(func(t *testing.T, query string) {
		parameters, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := r.parse(parameters)
		if err != nil {
			clientsFault(t, err)
			return
		}
		if q.Limit < 1 || q.Limit > MaxReportPage || (!q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To)) {
			t.Fatalf("%s: %+v", query, q)
		}
		if cursor := parameters.Get("cursor"); cursor != "" && r.cursor(parameters, q.After) != cursor {
			t.Fatalf("%q stands for %q", cursor, q.After)
		}
	})
}

// FuzzHeaders: If-Match is a version, nothing or a problem; waits stay within their limit.
func FuzzHeaders(f *testing.F) {
	f.Add(`"3"`, "wait=5, respond-async")
	f.Add("W/\"3\"", "wait=99999999999999999999")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, ifMatch, prefer string) {
		header := http.Header{"If-Match": {ifMatch}, "Prefer": {prefer}}
		if _, err := parseIfMatch(header); err != nil {
			clientsFault(t, err)
		}
		if p := parsePrefer(header); p.wait <= 0 || p.wait > MaxWait {
			t.Fatalf("%q: %+v", prefer, p)
		}
	})
}

// FuzzBulkLines: a stream's lines are those that stand in it, or it ends at one that is too long.
func FuzzBulkLines(f *testing.F) {
	f.Add([]byte("{}\r\n\n {} \n{"))
	f.Add(bytes.Repeat([]byte("x"), command.MaxBulkLineBytes+1))
	f.Fuzz(func(t *testing.T, body []byte) {
		lines := lineReader{reader: bufio.NewReaderSize(bytes.NewReader(body), 16)}
		for rest := body; ; {
			line, err := lines.next()
			if errors.Is(err, errLineTooLong) {
				return
			}
			want, after, _ := bytes.Cut(rest, []byte("\n"))
			if rest = after; !bytes.Equal(line, trimSpace(want)) || cap(lines.long) > 4*command.MaxBulkLineBytes {
				t.Fatalf("%.80q instead of %.80q", line, want)
			}
			if errors.Is(err, io.EOF) {
				if len(rest) > 0 {
					t.Fatalf("%d bytes are left", len(rest))
				}
				return
			}
		}
	})
}
