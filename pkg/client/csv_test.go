package client

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// An answer of many parts is copied with the number of its rows, one that breaks off is an error, and a refusal is one
// that says what to do. What is not there yet is asked for again.
func TestCSVIsCopiedWholeOrFails(t *testing.T) {
	const rows = 100_000
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.Header.Get("Accept") != "text/csv" || r.Header.Get("Holdfast-Min-Position") != "o0.5" {
			t.Errorf("asked with %v", r.Header)
		}
		switch {
		case r.URL.Query().Get("by") == "":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":"invalid_parameter","detail":"by must be there."}`)
			return
		case asked == 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Query().Get("sku") == "older" { // it knows no CSV of this
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"items":[]}`)
			return
		}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Trailer", "Holdfast-Rows")
		_, _ = io.WriteString(w, "sku\n"+strings.Repeat("A\n", rows))
		if r.URL.Query().Get("sku") == "broken" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Holdfast-Rows", "100000")
	})
	var out strings.Builder
	got, err := c.RevenueCSV(t.Context(), ReportFilter{By: "sku"}, &out, After("o0.5"))
	if err != nil || got != rows || strings.Count(out.String(), "\n") != rows+1 || asked != 2 {
		t.Errorf("%d rows in %d bytes, asked %d times: %v", got, out.Len(), asked, err)
	}
	_, err = c.StockMovementsCSV(t.Context(), ReportFilter{By: "sku", SKU: "broken"}, io.Discard, After("o0.5"))
	if err == nil || !strings.Contains(err.Error(), "the answer broke off after ") || asked != 3 {
		t.Errorf("broken off, asked %d times: %v", asked, err)
	}
	if _, err = c.AskCSV(t.Context(), "revenue", Question{}, io.Discard, After("o0.5")); err == nil ||
		!strings.Contains(err.Error(), "by must be there") {
		t.Errorf("refused: %v", err)
	}
	_, err = c.RevenueCSV(t.Context(), ReportFilter{By: "sku", SKU: "older"}, io.Discard, After("o0.5"))
	if err == nil || !strings.Contains(err.Error(), `"application/json", not CSV`) {
		t.Errorf("no CSV: %v", err)
	}
	_, err = c.RevenueCSV(t.Context(), ReportFilter{By: "sku"}, full{}, After("o0.5"))
	if err == nil || err.Error() != "write the answer: no space left on device" {
		t.Errorf("a full disk: %v", err)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
