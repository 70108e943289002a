package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// pricing places the order that the document shows, with a voucher, VAT that is included, and shipping; sees what does
// not add up refused; and gives parts of it back.
func (p *platform) pricing(t *testing.T, binary string, must func(want, line string) string) {
	t.Helper()
	example := ""
	for _, op := range apitest.Open(t).Operations() {
		if op.ID == "placeOrder" {
			example = op.Examples["pricing"]
		}
	}
	file := filepath.Join(t.TempDir(), "order.json")
	write := func(old, new string) {
		t.Helper()
		body := strings.Replace(example, old, new, 1)
		if body == example && old != new {
			t.Fatalf("the example does not have %s:\n%s", old, example)
		}
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, sku := range []string{"MUG", "TEA"} {
		must(sku, "stock register "+sku)
		must(sku, "stock receive "+sku+" 10")
	}
	write("", "")
	var placed client.OrderSummary
	if err := json.Unmarshal([]byte(must("47.74", "order place --file "+file+" -o json")), &placed); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{`"47.74"`, `"47.75"`, "(total_mismatch)\n  /total "},
		{`"7.62"`, `"7.61"`, "(total_mismatch)\n  /tax_total "},
		{`"4.76"`, `"4.75"`, "(total_mismatch)\n  /discount_total "},
		{`"4.76"`, `"47.61"`, "(invalid_discount)\n  /discounts/0/amount "},
		{`"3.42"`, `"3.50"`, "(tax_mismatch)\n  /lines/0/taxes/0/amount "},
		{`"0.78"`, `"0.70"`, "(tax_mismatch)\n  /charges/0/taxes/0/amount "},
		{`"taxes_included":true`, `"taxes_included":false`, "(tax_mismatch)\n  /lines/0/taxes/0/amount "},
		{`"shipping"`, `"parcel"`, "(invalid_charge)\n  /charges/0/kind "},
	} {
		write(test.old, test.new)
		out, err := p.cli(t, binary, "order", "place", "--file", file)
		if err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%s instead of %s: %v\n%s\nwant %s", test.new, test.old, err, out, test.want)
		}
	}
	id := placed.OrderID
	must("confirmed", "order authorize-payment "+id+" --amount 47.74")
	must("46.74", "order cancel-lines "+id+" --charge 1=1") // of 4.90
	must("36.03", "order cancel-lines "+id+" --line MUG=1") // 11.90 without its share of the voucher, 1.19
	must("33.03", "order amend "+id+" --charge 1=3")
	for line, want := range map[string]string{
		"cancel-lines " + id + " --charge 1=0.91": "over_credit",
		"cancel-lines " + id + " --charge 2=1":    "unknown_charge",
		"cancel-lines " + id + " --charge 1=0":    "(invalid_amount)\n  --charge 1: amount must be more than 0",
		"amend " + id + " --line MUG=3":           "(invalid_discount)\n  --line 1: discount ",
		"place --customer c --currency EUR --line MUG=1@1 --charge fee=0.10 --discount 0.20 --total 1.10": "(total_mismatch)",
	} {
		out, err := p.cli(t, binary, append([]string{"order"}, strings.Fields(line)...)...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("order %s: %v\n%s\nwant %s", line, err, out, want)
		}
	}
	// The platform rounds by the line: 0.34 + 0.34, and 0.345 + 0.345 where the order says so.
	const halves = "order place --customer c --currency EUR --line MUG=1@0.345 --line TEA=1@0.345"
	must("0.68 EUR", halves)
	must("0.69 EUR", halves+" --rounding order")
	must("0.90 EUR",
		"order place --customer c --currency EUR --line MUG=1@1 --charge fee=0.10 --discount 0.20 --total 0.90")
}
