package retail_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
)

// FuzzRead: a CSV text is refused as a whole, or every row of it is counted. Rows that cannot be used are written to
// the rejects.
func FuzzRead(f *testing.F) {
	sample, err := os.ReadFile("testdata/generated.golden")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample[:min(len(sample), 4<<10)])
	const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	for _, rows := range []string{
		"536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n",
		"C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom\n",
		"536365,\"85123A\n", "1,A,\xa3,1,2010-12-01 08:26:00,1e3,,\n",
		"1,A,x,9223372036854775807,12/1/2010 8:26,9223372036854,1,X\n1,A,x,2,12/1/2010 8:26,1,1,X\n",
	} {
		f.Add([]byte(header + rows))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := retail.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var rejects bytes.Buffer
		if err := b.WriteRejects(&rejects, nil); err != nil {
			t.Fatal(err)
		}
		if got := int64(b.AcceptedRows() + len(b.Rejected)); got > b.Read.Rows {
			t.Fatalf("%d rows, %d accepted and %d rejected", b.Read.Rows, b.AcceptedRows(), len(b.Rejected))
		}
		_ = b.Opening()
	})
}
