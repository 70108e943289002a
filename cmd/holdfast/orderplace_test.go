package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the flags about charges and discounts say, and what is in a file, is what is sent.
func TestOrderCommandsSendWhatAnOrderCosts(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent = string(body)
		_, _ = w.Write([]byte(`{"order_id":"o-1","version":1,"status":"reserved"}`))
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "order.json")
	inFile := `{"currency":"EUR","customer_id":"c-1","lines":[{"quantity":2,"sku":"A1",` +
		`"taxes":[{"amount":"3.80","rate":"0.19"}],"unit_price":"11.90"}],"taxes_included":true}`
	amendment := filepath.Join(t.TempDir(), "amendment.json")
	inAmendment := `{"lines":[{"discount":"1","quantity":2,"sku":"A1","tax":"3.64"}]}`
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, inFile)
	write(amendment, inAmendment)
	for flags, want := range map[string]string{
		"place --customer c-1 --currency EUR --line A1=1@11.90 --charge shipping=4.90 --charge fee=0.5 " +
			"--discount 1 --discount A=B=2.38 --taxes-included --rounding line --total 12": `{` +
			`"charges":[{"amount":"4.90","kind":"shipping"},{"amount":"0.5","kind":"fee"}],"currency":"EUR",` +
			`"customer_id":"c-1","discounts":[{"amount":"1"},{"amount":"2.38","code":"A=B"}],` +
			`"lines":[{"quantity":1,"sku":"A1","unit_price":"11.90"}],"payment_terms":"prepaid","rounding":"line",` +
			`"taxes_included":true,"total":"12"}`,
		"place --file " + file:             inFile,
		"amend o-1 --file " + amendment:    inAmendment,
		"cancel-lines o-1 --charge 1=4.90": `{"charges":[{"amount":"4.90","charge":1}]}`,
		"amend o-1 --line A1=2 --charge 1=1 --charge 2=0.5": `{"charges":[{"amount":"1","charge":1},` +
			`{"amount":"0.5","charge":2}],"lines":[{"quantity":2,"sku":"A1"}]}`,
		"receive-return o-1 r-1 --line A1=1@damaged --charge 1=2": `{"charges":[{"amount":"2","charge":1}],` +
			`"lines":[{"condition":"damaged","quantity":1,"sku":"A1"}]}`,
	} {
		args := append([]string{"order"}, append(strings.Fields(flags), "--url", server.URL)...)
		if _, err := holdfast(t, args...); err != nil || sent != want {
			t.Errorf("order %s: %v\n sent %s\n want %s", flags, err, sent, want)
		}
	}
	sent = ""
	for flags, want := range map[string]string{
		"place --charge shipping":                    "is not KIND=AMOUNT",
		"place --charge =4.90":                       "is not KIND=AMOUNT",
		"place --discount =2":                        "is not AMOUNT or CODE=AMOUNT",
		"place --discount CODE=":                     "is not AMOUNT or CODE=AMOUNT",
		"place --file " + file + " --customer c-1":   "none of the others can be",
		"place --file " + file + "x":                 "no such file",
		"amend o-1 --charge 1=1 --file " + amendment: "none of the others can be",
		"amend o-1 --file " + file:                   `amendment: json: unknown field`,
		"cancel-lines o-1 --charge shipping=1":       "is not NUMBER=AMOUNT",
		"amend o-1 --charge 1=":                      "is not NUMBER=AMOUNT",
		"receive-return o-1 r-1 --charge 4.90":       "is not NUMBER=AMOUNT",
	} {
		holdfastFails(t, want, append([]string{"order"}, append(strings.Fields(flags), "--url", server.URL)...)...)
	}
	for text, want := range map[string]string{
		`{"lines":[{"tax":"1"}]}`: `holds no order: json: unknown field "tax"`,
		inFile + inFile:           "holds more than one order",
		`{"lines":`:               "holds no order: unexpected EOF",
		``:                        "holds no order: EOF",
	} {
		write(file, text)
		holdfastFails(t, want, "order", "place", "--file", file, "--url", server.URL)
	}
	if sent != "" {
		t.Errorf("it sent %s", sent)
	}
}

// A fault of an order from a file is told by its pointer: no flag has said it.
func TestFaultsOfAFileAreToldByTheirPointers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"type":"/errors/tax_mismatch","title":"A tax is not its rate","status":400,` +
			`"code":"tax_mismatch","errors":[{"pointer":"/lines/0/taxes/0/amount","detail":"0.19 of 1 is 0.19"}]}`))
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "order.json")
	if err := os.WriteFile(file, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	holdfastFails(t, "\n  /lines/0/taxes/0/amount 0.19 of 1", "order", "place", "--file", file, "--url", server.URL)
	holdfastFails(t, "\n  --line 1: taxes 0 amount 0.19 of 1", "order", "place", "--line", "A1=1@1", "--url", server.URL)
}

// An order shows what it costs besides its prices, and the numbers that --charge takes.
func TestOrderGetShowsWhatItCosts(t *testing.T) {
	url := api(t, "/v1/orders/o-1", http.StatusOK, `{"order_id":"o-1","version":1,"status":"confirmed","currency":"EUR",`+
		`"subtotal":"39.00","discount_total":"2.66","charge_total":"3.90","tax_total":"5.77","total":"40.24",`+
		`"taxes_included":true,"rounding":"line","discounts":[{"amount":"2.66","code":"SUMMER"}],`+
		`"lines":[{"line":1,"sku":"MUG","quantity":3,"unit_price":"10.00","amount":"30.00","discount":"2.00","tax":"4.47"},`+
		`{"line":2,"sku":"TEA","quantity":2,"unit_price":"4.50","amount":"9.00","discount":"0.66"}],`+
		`"charges":[{"charge":1,"kind":"shipping","amount":"4.90","credited":"1.00","description":"Parcel"},`+
		`{"charge":2,"kind":"fee","amount":"0.00"}]}`)
	out, err := holdfast(t, "order", "get", "o-1", "--url", url)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"discounts  2.66\ncharges    3.90\ntaxes      5.77 (included)\ntotal      40.24 EUR\n",
		"LINE  SKU  QUANTITY  UNIT PRICE  AMOUNT  DISCOUNT   TAX\n" +
			"   1  MUG         3       10.00   30.00      2.00  4.47\n" +
			"   2  TEA         2        4.50    9.00      0.66\n",
		"CHARGE  KIND      AMOUNT  CREDITED  DESCRIPTION\n" +
			"     1  shipping    4.90      1.00  Parcel\n" +
			"     2  fee         0.00\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not show\n%s\nbut\n%s", want, out)
		}
	}
}
