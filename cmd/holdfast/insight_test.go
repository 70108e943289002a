package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

const soldYAML = `name: sold
description: Units sold.
source: sales
keys: {sku: sku, currency: currency}
measures:
  units: sum(quantity)
  price: {sql: sum(toInt128(amount_micros)), unit: money}
  share: {sql: sum(quantity) / sum(quantity - 7), unit: ratio}
examples:
  - rows: [{sku: A1, currency: EUR, quantity: 7, amount_micros: 12500000}]
    want: [{sku: A1, currency: EUR, units: 7, price: "12.50", share: ""}]
`

func definition(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sold.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestInsightValidate(t *testing.T) {
	good := definition(t, soldYAML)
	out, err := holdfast(t, "insight", "validate", good)
	if err != nil || !strings.HasPrefix(out, good+": insight sold, version ") ||
		!strings.HasSuffix(out, ", 1 example holds\n") {
		t.Errorf("%q, %v", out, err)
	}
	bad := definition(t, strings.Replace(soldYAML, "sum(quantity)\n", "any(quantity)\n", 1))
	out, err = holdfast(t, "insight", "validate", bad, good)
	var status exitStatus
	if !errors.As(err, &status) || status != 1 ||
		!strings.Contains(out, bad+":6: measures.units: any is not allowed: it takes the row that comes first") ||
		!strings.Contains(out, good+": insight sold") {
		t.Errorf("%q, %v", out, err)
	}
	holdfastFails(t, "no such file", "insight", "validate", "nowhere.yaml")
}

func TestInsightPreview(t *testing.T) {
	address := chdbtest.Database(t)
	conn, err := clickhouse.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), `INSERT INTO sales (offset, sku, currency, quantity, amount_micros) VALUES
		(1, 'A1', 'GBP', 7, 5100000), (2, 'B2', 'GBP', 3, 1)`, nil, nil); err != nil {
		t.Fatal(err)
	}
	file := definition(t, soldYAML)
	out, err := holdfast(t, "insight", "preview", file, "--clickhouse", address, "--limit", "1")
	want := "SKU  CURRENCY  UNITS  PRICE  SHARE\nA1   GBP           7   5.10\n" +
		"There are more rows: --limit NUMBER prints more.\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	out, err = holdfast(t, "insight", "preview", file, "--clickhouse", address, "-o", "json")
	for _, want := range []string{
		`"units": 7`, `"price": "5.10"`, `"share": null`, `"price": "0.000001"`, `"share": -0.75`,
	} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %s\nlacks %s", err, out, want)
		}
	}
	holdfastFails(t, "a limit of 0 rows", "insight", "preview", file, "--clickhouse", address, "--limit", "0")
}
