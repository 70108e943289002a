package retail_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
)

var update = flag.Bool("update", false, "write the golden files anew")

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

func read(t *testing.T, csv string) *retail.Book {
	t.Helper()
	b, err := retail.Read(strings.NewReader(csv))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadGroupsRowsIntoDocuments(t *testing.T) {
	b := read(t, header+
		"536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"+
		"536366,22633,WARMER,2,2010-12-01 08:28:00,1.85,,France\n"+
		"536365,71053,LANTERN,1,2010-12-01 08:27:00,3.391,17850.0,United Kingdom\n"+ // not contiguous, a minute later
		"C536379,22633,WARMER,-1,2010-12-01 08:20:00,1.85,,France\n"+
		"536589,21777,damaged,-10,2010-12-01 16:50:00,0.0,,United Kingdom\n")
	if len(b.Documents) != 4 || len(b.Rejected) != 0 {
		t.Fatalf("%d documents, %d rejected", len(b.Documents), len(b.Rejected))
	}
	credit, first, guest, adjustment := b.Documents[0], b.Documents[1], b.Documents[2], b.Documents[3]
	if credit.Kind != retail.KindCreditNote || credit.Lines[0].Quantity != -1 {
		t.Errorf("credit note, first in time: %+v", credit)
	}
	if first.InvoiceNo != "536365" || len(first.Lines) != 2 || first.CustomerID != "17850" {
		t.Errorf("first invoice: %+v", first)
	}
	if got := first.Time.Format("2006-01-02T15:04:05Z07:00"); got != "2010-12-01T08:26:00Z" {
		t.Errorf("its time is %s, not its first row's", got)
	}
	if first.Lines[1].AmountMicros != 3_391_000 || first.Lines[1].Row != 3 {
		t.Errorf("second line: %+v", first.Lines[1])
	}
	if guest.CustomerID != retail.GuestCustomer || guest.Country != "France" {
		t.Errorf("guest: %+v", guest)
	}
	if adjustment.Kind != retail.KindAdjustment || adjustment.Lines[0].Reason != "damaged" {
		t.Errorf("adjustment: %+v", adjustment)
	}
	if key := adjustment.LineKey(&adjustment.Lines[0]); key != "online-retail/536589/5" {
		t.Errorf("adjustment's key is %s", key)
	}
	want := retail.Figures{Documents: 4, Rows: 5, Quantity: -2, Micros: 15_300_000 + 3_700_000 + 3_391_000 - 1_850_000}
	if b.Read != want || b.Accepted(nil).Total != want {
		t.Errorf("read %+v, accepted %+v, want %+v", b.Read, b.Accepted(nil).Total, want)
	}
	if len(b.Items) != 4 || b.Items[3].Description != "" {
		t.Errorf("a remark is no description: %+v", b.Items)
	}
}

func TestReadRejectsRowsWithLineAndReason(t *testing.T) {
	good := "1,A,a,1,2010-12-01 08:26:00,1,,UK\n"
	for _, test := range []struct{ name, row, reason string }{
		{"bad debt", "A1,B,Adjust bad debt,1,2011-08-12 14:50:00,-11062.06,,UK", "bad debt"},
		{"too few fields", "2,A,a", "3 fields where the header has 8"},
		{"stray quote", `2,A,a "b",1,2010-12-01 08:26:00,1,,UK`, `bare "`},
		{"no number", "2,A,a,two,2010-12-01 08:26:00,1,,UK", "Quantity"},
		{"no date", "2,A,a,2,yesterday,1,,UK", "InvoiceDate"},
		{"no price", "2,A,a,2,2010-12-01 08:26:00,1e3,,UK", "UnitPrice"},
		{"NaN", "2,A,a,2,2010-12-01 08:26:00,NaN,,UK", "UnitPrice"},
		{"negative price", "2,A,a,2,2010-12-01 08:26:00,-1,,UK", "negative"},
		{"nothing", "2,A,a,0,2010-12-01 08:26:00,1,,UK", "Quantity is 0"},
		{"overflow", "2,A,a,999999999,2010-12-01 08:26:00,999999999,,UK", "out of range"},
		{"no SKU", "2,,a,1,2010-12-01 08:26:00,1,,UK", "StockCode"},
		{"odd SKU", "2,É,a,1,2010-12-01 08:26:00,1,,UK", "ASCII"},
		{"no country", "2,A,a,1,2010-12-01 08:26:00,1,,", "Country"},
		{"odd number", "X2,A,a,1,2010-12-01 08:26:00,1,,UK", "neither a number"},
		{"credit note that sells", "C2,A,a,1,2010-12-01 08:26:00,1,,UK", "must be negative"},
		{"paid adjustment", "2,A,a,-1,2010-12-01 08:26:00,1,,UK", "outside a credit note"},
		{"another country", "1,A,a,1,2010-12-01 08:26:00,1,,FR", "Country differs"},
		{"another customer", "1,A,a,1,2010-12-01 08:26:00,1,7,UK", "CustomerID differs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := read(t, header+good+test.row+"\n"+good)
			if len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Reason, test.reason) {
				t.Fatalf("rejected %+v, want %q", b.Rejected, test.reason)
			}
			if b.Rejected[0].Line != 3 || b.Rejected[0].Row != 2 {
				t.Errorf("line %d row %d, want 3 and 2", b.Rejected[0].Line, b.Rejected[0].Row)
			}
			if r := retail.Reconcile(b, nil, retail.Logged{}, nil); b.Read != r.Accepted.Total.Plus(r.Rejected.Total) {
				t.Errorf("read %+v is not accepted %+v and rejected %+v", b.Read, r.Accepted.Total, r.Rejected.Total)
			}
			var rejects bytes.Buffer
			if err := b.WriteRejects(&rejects, nil); err != nil || !strings.Contains(rejects.String(), "\n3,") {
				t.Errorf("rejects file (%v):\n%s", err, rejects.String())
			}
		})
	}
}

func TestReadRefusesOtherFiles(t *testing.T) {
	for csv, want := range map[string]string{
		"":                      "empty",
		"a,b\n1,2\n":            "no column InvoiceNo",
		header[:50] + "\n1,2\n": "no column",
	} {
		if _, err := retail.Read(strings.NewReader(csv)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", csv, err, want)
		}
	}
	if _, err := retail.ReadFile(filepath.Join(t.TempDir(), "none.csv")); err == nil {
		t.Error("a missing file was read")
	}
}

func TestReadFileDecompresses(t *testing.T) {
	text := []byte(header + "1,A,caf\xe9,1,12/1/2010 8:26,1.5,,UK\n") // Latin-1 and dates as in older copies
	var zipped, packed bytes.Buffer
	g := gzip.NewWriter(&zipped)
	x, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{g, x} {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string][]byte{"a.csv": text, "a.csv.gz": zipped.Bytes(), "a.csv.xz": packed.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := retail.ReadFile(path)
		if err != nil || len(b.Documents) != 1 || b.Items[0].Description != "café" {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := retail.ReadFile(path); err == nil || !strings.Contains(err.Error(), ".csv, .gz or .xz") {
		t.Errorf("a .zip: %v", err)
	}
}

func generated(t *testing.T, orders int) string {
	t.Helper()
	var b bytes.Buffer
	records := retail.Generate(retail.GeneratorConfig{Seed: 1, Orders: orders, SKUs: 100, Customers: 80})
	if err := retail.WriteCSV(&b, records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGenerateIsDeterministic(t *testing.T) {
	csv := generated(t, 500)
	if csv != generated(t, 500) {
		t.Fatal("two runs differ")
	}
	sum := sha256.Sum256([]byte(csv))
	b := read(t, csv)
	got := strings.Join(strings.SplitAfter(csv, "\n")[:12], "") +
		"sha256 " + hex.EncodeToString(sum[:]) + "\n" +
		"rows " + strconv.FormatInt(b.Read.Rows, 10) + ", documents " + strconv.FormatInt(b.Read.Documents, 10) + "\n"
	path := filepath.Join("testdata", "generated.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("differs from %s (run with -update if that is wanted): %v\n%s", path, err, got)
	}
	orders := 0
	for _, d := range b.Documents {
		if d.Kind == retail.KindOrder {
			orders++
		}
	}
	if orders != 500 || len(b.Rejected) != 1 {
		t.Errorf("%d orders, %d rejected", orders, len(b.Rejected))
	}
}
