package e2e_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/command"
)

// pastDocuments are files of commands: one with the stock of five SKUs, and one for each document. Stock does not cover
// some of the documents.
func pastDocuments() (files []string) {
	var b strings.Builder
	for i := range 5 {
		fmt.Fprintf(&b, `{"id":"r-%d","type":"register_item","sku":"S%d"}`+"\n", i, i)
		fmt.Fprintf(&b, `{"id":"s-%d","type":"receive_stock","sku":"S%d","body":{"quantity":3}}`+"\n", i, i)
	}
	files = append(files, b.String())
	document := func(typ, id string, quantities ...int) {
		var lines []string
		for i, q := range quantities {
			if q > 0 {
				lines = append(lines, fmt.Sprintf(`{"sku":"S%d","quantity":%d,"unit_price":"2.50"}`, i, q))
			}
		}
		files = append(files, fmt.Sprintf(`{"id":%q,"type":%q,"body":{"reference":%q,"customer_id":"c","currency":"GBP",`+
			`"occurred_at":"2010-12-01T08:26:00Z","lines":[%s]}}`, id, typ, id, strings.Join(lines, ",")))
	}
	document(command.ImportOrder, "fine", 1, 1, 1, 1, 1)
	document(command.ImportOrder, "short", 3, 2, 2, 3, 2)
	document(command.ImportOrder, "unknown", 9, 1, 1, 1, 1, 1)
	document(command.ImportCreditNote, "note", 1, 0, 0, 1)
	document(command.ImportCreditNote, "unknown-note", 0, 1, 1, 0, 0, 2)
	return files
}

// versions count events, of which a document that asks other shards has more.
var versions = regexp.MustCompile(`"version":\d+,`)

// An import into four shards gets the same answers and figures as one into a single shard. Refused documents count
// nowhere.
func TestPastDocumentsCountAlikeOnAnyNumberOfShards(t *testing.T) {
	binary := build(t)
	var reported [2]string
	for i, shards := range []string{"1", "4"} {
		dir := t.TempDir()
		p := dev(t, binary, filepath.Join(dir, "data"), "--shards", shards)
		var all strings.Builder
		importAll := func() {
			for k, text := range pastDocuments() {
				file := write(t, filepath.Join(dir, fmt.Sprintf("%d.ndjson", k)), text)
				if _, status := p.importLines(t, binary, p.url, nil, file); status == 0 {
					fmt.Fprintln(&all, k, "accepted")
					continue
				}
				for _, r := range readRejects(t, filepath.Join(dir, fmt.Sprintf("%d.rejects.ndjson", k))) {
					r.Problem.Instance = ""
					problem, err := json.Marshal(r.Problem)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&all, "%s %s\n", r.ID, problem)
				}
			}
			for sku := range 5 {
				fmt.Fprintf(&all, "S%d %d\n", sku, p.onHand(t, fmt.Sprintf("S%d", sku)))
			}
			c := client.New(p.url)
			answer, err := c.RegisterItem(testContext(t), "S0", client.RegisterItem{}) // its position is behind the refusals
			if err != nil {
				t.Fatal(err)
			}
			p.verifyMirror(t, binary)
			fmt.Fprintln(&all, versions.ReplaceAllString(p.get(t, "/v1/availability/S0", answer.Position), ""))
			rows := revenue(t, c, "sku")
			slices.SortFunc(rows, func(a, b client.RevenueRow) int { return strings.Compare(a.SKU, b.SKU) })
			for _, row := range rows {
				fmt.Fprintf(&all, "%+v\n", row)
			}
		}
		importAll()
		for sku := range 5 {
			c := client.New(p.url)
			if _, err := c.ReceiveStock(testContext(t), fmt.Sprintf("S%d", sku), client.ReceiveStock{Quantity: 2}); err != nil {
				t.Fatal(err)
			}
		}
		importAll()
		reported[i] = all.String()
	}
	if reported[0] != reported[1] {
		t.Errorf("one shard says\n%s\nfour say\n%s", reported[0], reported[1])
	}
	if strings.Count(reported[0], "short {") != 1 || strings.Count(reported[0], `"code":"unknown_sku"`) != 4 {
		t.Errorf("what was refused, once or twice, is not reported:\n%s", reported[0])
	}
}

// verifyMirror runs holdfast verify on the log, the views and the mirror, when no order waits for stock any more.
func (p *platform) verifyMirror(t *testing.T, binary string) {
	t.Helper()
	out, err := exec.CommandContext(testContext(t), binary, "verify", "--kafka", p.kafka,
		"--clickhouse", p.clickHouse, "--settled", "--view-wait", patience.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
}
