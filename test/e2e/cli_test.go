package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
)

// cli runs the command line against the platform. It returns what it prints, and an error for another exit status than
// 0.
func (p *platform) cli(t *testing.T, binary string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), binary, args...)
	cmd.Env = append(os.Environ(), "HOLDFAST_URL="+p.url)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// positionPrinted finds the position that a command prints, in a table or in JSON.
var positionPrinted = regexp.MustCompile(`(?m)(?:^position |"position": ?")([^"\s]+)`)

// A shop's day on the command line. Every answer has the status of the order or the stock.
func TestAShopsDayOnTheCommandLine(t *testing.T) {
	binary := build(t)
	p := dev(t, binary, t.TempDir(), "--rounding", "line")
	position := ""
	must := func(want, line string) string {
		t.Helper()
		out, err := p.cli(t, binary, strings.Fields(line)...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("holdfast %s: %v\n%s\nwant %q", line, err, out, want)
		}
		if found := positionPrinted.FindStringSubmatch(out); found != nil {
			position = found[1]
		}
		return out
	}
	look := func(want, line string) { // at what the last command has changed
		t.Helper()
		must(want, line+" --after "+position)
	}
	id := func(out string) string {
		t.Helper()
		var o client.OrderSummary
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return o.OrderID + " " + o.FulfilmentID
	}
	must("A1", "stock register A1 --description Heart")
	must("A1", "stock expect A1 10 --reference PO-1")
	must("10", "stock receive A1 10 --reference PO-1 --unit-cost 1.25 --cost-currency GBP")
	must("A1", "stock move A1 2 --to quality_control")
	must("A1", "stock move A1 2 --from quality_control --to available")
	var sent client.Availability
	out := must("transfer_id", "stock transfer A1 3 --to north --reference van-2 -o json")
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.TransferID == "" {
		t.Fatalf("%v, %+v", err, sent)
	}
	look(sent.TransferID, "stock show A1")
	must("north", "stock receive-transfer A1 "+sent.TransferID+" 1 --damaged 1 --missing 1")
	must("A1", "stock adjust A1 --reason shrinkage -- -1")
	must("A1", "stock count A1 10 --counted-at-version "+strconv.FormatInt(sent.Version+2, 10))
	must("A1", "stock safety-stock A1 1")
	must("A1", "stock backorder-limit A1 5")

	order := strings.Fields(id(must("reserved",
		"order place --customer c-1 --currency GBP --line A1=5@2.55 --key o-1 -o json")))[0]
	must(order, "order place --customer c-1 --currency GBP --line A1=5@2.55 --key o-1") // the same key, the same order
	must("reserved", "order start-payment "+order+" --reference pi-1")
	must("failed", "order fail-payment "+order+" --reference pi-1 --reason declined")
	must("reserved", "order authorize-payment "+order+" --amount 2.75 --reference pi-2")
	must("confirmed", "order authorize-payment "+order+" --amount 10.00 --reference pi-3")
	must("on_hold", "order hold "+order+" --reason fraud")
	must("confirmed", "order resume "+order+" --actor zoë")
	must("10.20 GBP", "order cancel-lines "+order+" --line A1=1 --reason shorter")
	fulfilment := strings.Fields(id(must("confirmed", "order create-fulfilment "+order+" --line A1=1 -o json")))[1]
	must("confirmed", "order cancel-fulfilment "+order+" "+fulfilment)
	fulfilment = strings.Fields(id(must("confirmed", "order create-fulfilment "+order+" --line A1=2 -o json")))[1]
	must("partially_captured", "order ship-fulfilment "+order+" "+fulfilment+" --tracking 1Z --capture")
	must("completed", "order ship "+order+" --line A1=2")
	must("fulfilled", "order deliver "+order+" "+fulfilment+" --line A1=1")
	must("fulfilled", "order deliver "+order+" "+fulfilment)
	must("captured", "order capture-payment "+order+" --amount 5.10")
	must("partially_refunded", "order refund-payment "+order+" --amount 1.00 --reason late")
	look("lines_cancelled", "order get "+order)
	look("by zoë (unverified)", "order get "+order)
	away := strings.Fields(id(must("reserved", "order place --customer c-4 --currency GBP --line A1=1@1 "+
		"--allocation single_location --from-location north -o json")))[0]
	look("single_location north", "order get "+away)
	must("cancelled", "order cancel "+away)
	var asked client.OrderSummary
	out = must("requested", "order request-return "+order+" --line A1=2 --reason big -o json")
	if err := json.Unmarshal([]byte(out), &asked); err != nil {
		t.Fatal(err)
	}
	back := order + " " + asked.ReturnID
	must("partially_received", "order receive-return "+back+" --line A1=1@damaged")
	must("received", "order cancel-return "+back+" --reason kept")
	look("return_received", "order get "+order)

	account := strings.Fields(id(must("confirmed",
		"order place --customer c-2 --currency GBP --terms on_account --line A1=1@1 -o json")))[0]
	must("B2", "stock register B2")
	must("B2", "stock receive B2 1")
	must("7.00 GBP", "order amend "+account+" --line A1=2 --line B2=1@5 --reason called")
	must(account, "order amend "+account+" --line A1=2@0.50#1 -o json")
	amend := "order amend " + account + " --line A1=3 --line B2=2 --key short"
	if out, err := p.cli(t, binary, strings.Fields(amend)...); err == nil || !strings.Contains(out, "insufficient_stock") {
		t.Fatalf("amended beyond the stock: %v\n%s", err, out)
	}
	must("cancelled", "order cancel "+account+" --reason mind")
	for _, want := range []string{"6.00", "order_amended", "amendment_declined"} { // a refusal prints no position
		look(want, "order get "+account)
	}
	late := strings.Fields(id(must("reserved", "order place --customer c-3 --currency GBP --line A1=1@1 -o json")))[0]
	must("reserved", "order authorize-payment "+late+" --amount 0.50")
	must("voided", "order void-payment "+late)

	for line, want := range map[string]string{
		"order confirm " + late:                                                       "payment_required",
		"order confirm " + late + " --actor \u202eb":                                  "invalid_actor",
		"order ship " + order:                                                         "nothing_to_ship",
		"order cancel " + late + " --if-version 1":                                    "version_mismatch",
		"order cancel-lines " + late + " --line A1":                                   "SKU=QUANTITY[#LINE]",
		"order place --line A1=x@1":                                                   "SKU=QUANTITY[#LINE]",
		"order place --customer c --currency GBP --line A1=1@1 --from-location north": "missing_field",
		"order amend " + late + " --line A1":                                          "SKU=QUANTITY[@PRICE][#LINE]",
		"order amend " + late + " --line A1=1#x":                                      "SKU=QUANTITY[@PRICE][#LINE]",
		"order amend " + late + " --line A1=0":                                        "nothing_would_be_left",
		"order place --line A1=1":                                                     "SKU=QUANTITY@PRICE",
		"order receive-return " + back + " --line A1=1":                               "SKU=QUANTITY[#LINE]@CONDITION",
		"order request-return " + order + " --line A1=9":                              "over_return",
		"order deliver " + order + " " + fulfilment:                                   "already_delivered",
		"stock count A1 1 --counted-at-version 2":                                     "count_outdated",
		"stock count A1 many":                                                         "not a whole number",
		"stock backorder-limit A1 many":                                               "not a whole number",
		"stock receive nobody 1":                                                      "unknown_sku",
		"stock receive A1 1 --unit-cost 1.25":                                         "missing_field",
	} {
		if out, err := p.cli(t, binary, strings.Fields(line)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("holdfast %s: %v\n%s\nwant %q", line, err, out, want)
		}
	}
	p.pricing(t, binary, must)
	p.verify(t, binary)
	must("ClickHouse equals the log", "verify --kafka "+p.kafka+" --clickhouse "+p.clickHouse)
	// Of the 10 that came at 1.25, 4 were shipped, and 1 came back.
	must("3.75", "insight preview ../../schemas/insights/cost_of_goods.yaml --clickhouse "+p.clickHouse)
}
