package retail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func reconcile(t *testing.T, p *platform, b *retail.Book, refused retail.Refused) retail.Reconciliation {
	t.Helper()
	var logged retail.Logged
	// In real time the test would wait for the missing stock.
	synctest.Test(t, func(t *testing.T) {
		var err error
		if logged, err = retail.FoldLog(t.Context(), p, b, nil); err != nil {
			t.Fatal(err)
		}
	})
	return retail.Reconcile(b, refused, logged, nil)
}

// imported is a platform with a small generated year.
func imported(t *testing.T) (*platform, *retail.Book) {
	t.Helper()
	b := read(t, generated(t, 300))
	p := newPlatform(t)
	refused, err := (&retail.Importer{Sender: p}).Import(context.Background(), b)
	if err != nil || len(refused) != 0 {
		t.Fatalf("refused %v, %v", refused, err)
	}
	return p, b
}

func TestImportReconcilesAndAddsNothingTheSecondTime(t *testing.T) {
	p, b := imported(t)
	if r := reconcile(t, p, b, nil); !r.OK() {
		t.Fatalf("differences: %+v", r.Differences)
	}
	events := len(p.records)
	rows := 0
	again := &retail.Importer{Sender: p, Progress: func(done int) { rows = done }}
	if _, err := again.Import(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if len(p.records) != events || rows != b.AcceptedRows() {
		t.Errorf("%d events were added; %d rows of %d done", len(p.records)-events, rows, b.AcceptedRows())
	}
}

// An order is answered before stock of another shard has moved.
func TestStockThatFollowsIsWaitedFor(t *testing.T) {
	p, b := imported(t)
	all := p.records
	p.records = nil
	for i, r := range all {
		if r.Topic == eventlog.TopicInventory && i > len(all)/2 {
			p.late = append(p.late, r)
			continue
		}
		p.append(r.Topic, r.Value, nil)
	}
	if len(p.late) == 0 {
		t.Fatal("no stock event is late")
	}
	if r := reconcile(t, p, b, nil); !r.OK() {
		t.Fatalf("differences: %+v", r.Differences)
	}
}

func TestImportGoesOnAfterBrokenRequests(t *testing.T) {
	b := read(t, generated(t, 300))
	p := newPlatform(t)
	p.cut = func(request int) (int, bool) { return request % 5, request%4 == 1 }
	refused, err := (&retail.Importer{Sender: p}).Import(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	if r := reconcile(t, p, b, refused); !r.OK() {
		t.Errorf("differences: %+v", r.Differences)
	}
}

func TestImportEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	cancel(enough)
	_, err := (&retail.Importer{Sender: newPlatform(t)}).Import(ctx, read(t, generated(t, 5)))
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestRefusedDocumentsAreRejected(t *testing.T) {
	b := read(t, generated(t, 20))
	p := newPlatform(t)
	p.keys[retail.KeyPrefix+"opening/"+b.Documents[0].Lines[0].SKU] = true // its stock is missing
	refused, err := (&retail.Importer{Sender: p}).Import(context.Background(), b)
	if err != nil || len(refused) == 0 {
		t.Fatalf("refused %v, %v", refused, err)
	}
	r := reconcile(t, p, b, refused)
	if !r.OK() || r.Rejected.Total.Documents != int64(len(refused)+len(b.Rejected)) {
		t.Errorf("%d refused, rejected %+v, differences %+v", len(refused), r.Rejected.Total, r.Differences)
	}
	var rejects bytes.Buffer
	err = b.WriteRejects(&rejects, refused)
	if err != nil || strings.Count(rejects.String(), "insufficient_stock") != len(refused) {
		t.Errorf("rejects file (%v):\n%s", err, rejects.String())
	}
}

// The reconciliation finds and names each difference that the test makes between file and log.
func TestReconciliationFindsPlantedDifferences(t *testing.T) {
	for name, plant := range map[string]func(p *platform){
		"documents": func(p *platform) { p.records = append(p.records, p.records[firstOf(p, eventlog.TopicOrders)]) },
		"rows":      func(p *platform) { edit(p, func(o *eventv1.OrderImported) { o.Lines, o.SubtotalMicros = nil, 0 }) },
		"quantity": func(p *platform) {
			edit(p, func(o *eventv1.OrderImported) {
				o.Lines[0].Quantity++
				o.SubtotalMicros += o.Lines[0].UnitPriceMicros
			})
		},
		"money": func(p *platform) {
			edit(p, func(o *eventv1.OrderImported) { // a thousandth of a pound
				o.Lines[0].UnitPriceMicros += 1_000
				o.SubtotalMicros += 1_000 * o.Lines[0].Quantity
			})
		},
		"Atlantis": func(p *platform) { edit(p, func(o *eventv1.OrderImported) { o.Country = "Atlantis" }) },
		"units moved in stock": func(p *platform) {
			i := firstOf(p, eventlog.TopicInventory)
			p.records = append(p.records[:i:i], p.records[i+1:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := imported(t)
			plant(p)
			r := reconcile(t, p, b, nil)
			var text bytes.Buffer
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if r.OK() || !strings.Contains(text.String(), "NOT reconciled") ||
				!strings.Contains(fmt.Sprint(r.Differences), name) {
				t.Errorf("not found: %+v", r.Differences)
			}
		})
	}
}

// copied is a copy of a tally.
func copied(t retail.Tally) retail.Tally {
	return retail.Tally{Total: t.Total, Months: maps.Clone(t.Months), Countries: maps.Clone(t.Countries)}
}

// The mirror is compared like the log, and its differences are named separately.
func TestAMirrorThatDiffersIsFound(t *testing.T) {
	p, b := imported(t)
	logged, err := retail.FoldLog(context.Background(), p, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	mirrored := &retail.Mirrored{Documents: copied(logged.Documents), Moved: copied(logged.Moved)}
	if r := retail.Reconcile(b, nil, logged, mirrored); !r.OK() {
		t.Fatalf("differences: %+v", r.Differences)
	}
	month := retail.MonthNames(logged.Documents)[0]
	figures := mirrored.Documents.Months[month]
	figures.Micros++
	mirrored.Documents.Months[month] = figures
	r := retail.Reconcile(b, nil, logged, mirrored)
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if len(r.Differences) != 1 || r.Differences[0].Where != month || !strings.Contains(text.String(), "ClickHouse has ") {
		t.Errorf("%+v\n%s", r.Differences, text.String())
	}
}

func firstOf(p *platform, topic string) int {
	for i := range p.records {
		if p.records[i].Topic == topic {
			return i
		}
	}
	p.t.Fatalf("no record in %s", topic)
	return 0
}

// edit changes the first imported order in the log.
func edit(p *platform, change func(*eventv1.OrderImported)) {
	i := firstOf(p, eventlog.TopicOrders)
	var e eventv1.OrderEvent
	if err := e.UnmarshalVT(p.records[i].Value); err != nil {
		p.t.Fatal(err)
	}
	change(e.GetOrderImported())
	value, err := e.MarshalVT()
	if err != nil {
		p.t.Fatal(err)
	}
	p.records[i].Value = value
}

// TestRealFile checks figures of the data set, which were computed without this project. The data set is not part of
// the project. HOLDFAST_DATA names it, or it is beside the checkout.
func TestRealFile(t *testing.T) {
	path := os.Getenv("HOLDFAST_DATA")
	if path == "" {
		path = "../../../../../shared/data/online_retail.csv.xz"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the data set is not there: %v", err)
	}
	b, err := retail.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[retail.Kind]int{}
	for _, d := range b.Documents {
		kinds[d.Kind]++
	}
	if n := kinds[retail.KindOrder] + kinds[retail.KindAdjustment]; n != 22_061 || kinds[retail.KindCreditNote] != 3_836 {
		t.Errorf("documents %v", kinds)
	}
	want := retail.Figures{Documents: 25_900, Rows: 541_909, Quantity: 5_176_450, Micros: 9_747_747_934_000}
	if b.Read != want {
		t.Errorf("read %+v, want %+v", b.Read, want)
	}
	if len(b.Rejected) != 3 || b.AcceptedRows() != 541_906 || len(b.Items) != 4_069 { // 4,070 with the bad debt's own code
		t.Errorf("%d rejected, %d accepted rows, %d items", len(b.Rejected), b.AcceptedRows(), len(b.Items))
	}
	accepted, rejected := b.Accepted(nil), b.RejectedTally(nil)
	if rejected.Total.Micros != -11_062_060_000 {
		t.Errorf("rejected %+v", rejected.Total)
	}
	for country, micros := range map[string]int64{
		"United Kingdom": 8_187_806_364_000, "Netherlands": 284_661_540_000, "EIRE": 263_276_820_000,
		"Germany": 221_698_210_000, "France": 197_403_900_000,
	} {
		if got := accepted.Countries[country].Micros + rejected.Countries[country].Micros; got != micros {
			t.Errorf("%s: %d, want %d", country, got, micros)
		}
	}
	for month, micros := range map[string]int64{
		"2010-12": 748_957_020_000, "2011-04": 493_207_121_000, "2011-08": 682_680_510_000, "2011-12": 433_668_010_000,
	} {
		if got := accepted.Months[month].Micros + rejected.Months[month].Micros; got != micros {
			t.Errorf("%s: %d, want %d", month, got, micros)
		}
	}
	if len(accepted.Countries) != 38 {
		t.Errorf("%d countries", len(accepted.Countries))
	}
}
