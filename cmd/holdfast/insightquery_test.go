package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An answer is asked for and printed in each format.
func TestInsightQuery(t *testing.T) {
	bodies := map[string]string{
		"text/csv":             "month,country,revenue\n2011-01,\"Isle, of Man\",12.50\n",
		"application/json":     `{"items":[{"month":"2011-01","revenue":"12.50"}],"position":"o0.5"}`,
		"application/x-ndjson": `{"month":"2011-01","country":"Isle, of Man","revenue":"12.50"}` + "\n",
	}
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String() + " " + r.Header.Get("Holdfast-Min-Position")
		if r.Header.Get("Accept") != "text/csv" {
			w.Header().Set("Holdfast-Next-Cursor", "abc")
		}
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		_, _ = w.Write([]byte(bodies[r.Header.Get("Accept")]))
	}))
	defer server.Close()
	const more = "There are more rows: --limit NUMBER, or --cursor abc\n"
	for format, want := range map[string]string{
		"table":  "MONTH    COUNTRY       REVENUE\n2011-01  Isle, of Man    12.50\n",
		"csv":    bodies["text/csv"],
		"ndjson": bodies["application/x-ndjson"],
		"json":   "{\n  \"items\": [\n",
	} {
		out, err := holdfast(t, "insight", "query", "revenue", "--url", server.URL, "-o", format, "--by", "month,country",
			"--where", "country=Isle, of Man", "--where", "country=", "--from", "2011-01-01", "--tz", "Europe/London",
			"--order", "-revenue", "--limit", "7", "--version", "5ac0", "--after", "o0.5")
		if err != nil || !strings.HasPrefix(out, want) || strings.HasSuffix(out, more) != (format != "csv") {
			t.Errorf("as %s: %v\n%s\nwant\n%s", format, err, out, want)
		}
		const question = "/v1/insights/revenue?by=month%2Ccountry&country=Isle%2C+of+Man&country=&from=2011-01-01&limit=7&" +
			"order=-revenue&tz=Europe%2FLondon&version=5ac0 o0.5"
		if asked != question {
			t.Errorf("asked %s, want %s", asked, question)
		}
	}
	if _, err := holdfast(t, "insight", "query", "revenue", "--url", server.URL, "--by", ""); err != nil ||
		asked != "/v1/insights/revenue?by= " {
		t.Errorf("totals: %v, asked %s", err, asked)
	}
	bodies["application/x-ndjson"] = `{"month":"2011-01","share":null,"units":3}` + "\n"
	if out, err := holdfast(t, "insight", "query", "revenue", "--url", server.URL); err != nil ||
		!strings.HasPrefix(out, "MONTH    SHARE  UNITS\n2011-01             3\n") {
		t.Errorf("a share of nothing: %v\n%s", err, out)
	}
	bodies["application/x-ndjson"] = ""
	if out, err := holdfast(t, "insight", "query", "revenue", "--url", server.URL); err != nil ||
		!strings.HasPrefix(out, "There are no rows.\n") {
		t.Errorf("no rows: %v\n%s", err, out)
	}
	holdfastFails(t, "is no KEY=VALUE", "insight", "query", "revenue", "--url", server.URL, "--where", "France")
	holdfastFails(t, "it is none of table, json, ndjson and csv", "insight", "query", "revenue", "-o", "xml")
}

func TestInsightListAndShow(t *testing.T) {
	url := api(t, "/v1/insights", http.StatusOK, `{"items":[{"name":"sold","description":"Units sold.","source":"sales",`+
		`"zone":"UTC","keys":["sku","currency"],"measures":[{"name":"units","unit":"count"}],"rollups":[["sku"]],`+
		`"live":{"fingerprint":"5ac0","replay_id":"r-1","state":"live","position":"o0.5"},`+
		`"staged":[{"fingerprint":"77aa","state":"staged","position":""}]},{"name":"new","description":"d",`+
		`"source":"sales","zone":"UTC","keys":[],"measures":[]}]}`)
	out, err := holdfast(t, "insight", "ls", "--url", url)
	want := "NAME  SOURCE  LIVE  STAGED  DESCRIPTION\nsold  sales   5ac0       1  Units sold.\n" +
		"new   sales   -          0  d\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	out, err = holdfast(t, "insight", "show", "sold", "--url", url)
	want = "sold: Units sold.\nsource sales, zone UTC\nkeys sku, currency\nkept together: sku\nMEASURE  UNIT\n" +
		"units    count\n\nVERSION  STATE   REPLAY  POSITION\n5ac0     live    r-1     o0.5\n77aa     staged  -       -\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	holdfastFails(t, "there is no insight x: `holdfast insight ls` lists them", "insight", "show", "x", "--url", url)
}

// Orders as CSV are asked for without a limit, unless the user gives one. An answer that breaks off is an error.
func TestOrderListAsCSV(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept") + " " + r.URL.RequestURI()
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Trailer", "Holdfast-Rows")
		_, _ = w.Write([]byte("order_id,total\no-1,16\n"))
		if r.URL.Query().Get("customer_id") == "broken" {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Holdfast-Rows", "1")
	}))
	defer server.Close()
	out, err := holdfast(t, "order", "list", "--url", server.URL, "--csv", "--status", "confirmed")
	if err != nil || out != "order_id,total\no-1,16\n" || asked != "text/csv /v1/orders?status=confirmed" {
		t.Errorf("%v %q, asked %s", err, out, asked)
	}
	if _, err := holdfast(t, "order", "list", "--url", server.URL, "--csv", "--limit", "7"); err != nil ||
		asked != "text/csv /v1/orders?limit=7" {
		t.Errorf("with a limit: %v, asked %s", err, asked)
	}
	holdfastFails(t, "the answer broke off after ", "order", "list", "--url", server.URL, "--csv", "--customer", "broken")
}
