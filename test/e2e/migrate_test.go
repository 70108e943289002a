package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// ordersThatMove are how many orders the generated shop has: 5,000 unless the test is to be short.
func ordersThatMove() int {
	if testing.Short() {
		return 500
	}
	return 5_000
}

// openingUnits are those of each item before its first order.
const openingUnits = 100_000

// cutOver is when the shop moves.
var cutOver = time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)

// movingShop is a shop in another system: the file that it moves with, and its own account of what it then has. The
// account follows the story of each order, and knows no rule of the platform.
type movingShop struct {
	lines strings.Builder
	// onHand, reserved and committed are units by SKU.
	onHand, reserved, committed map[string]int64
	orders                      map[string]movedOrder // by key
	// sold is the money of confirmed orders by month, in pence.
	sold  map[string]int64
	clock time.Time
}

// movedOrder is what the shop knows of an order.
type movedOrder struct {
	sku                              string
	units, shipped, back             int64
	pence, captured, refunded        int64
	status, payment, goods, returned string
}

func newMovingShop(skus int) *movingShop {
	s := &movingShop{
		onHand: map[string]int64{}, reserved: map[string]int64{}, committed: map[string]int64{},
		orders: map[string]movedOrder{}, sold: map[string]int64{},
	}
	s.clock = cutOver.AddDate(-1, 0, 0)
	for i := range skus {
		sku := fmt.Sprint("item-", i)
		s.line("item-"+sku, "register_item", `"sku":"`+sku+`"`, map[string]any{"description": sku})
		opening := map[string]any{"quantity": openingUnits, "reference": "opening"}
		s.line("opening-"+sku, "receive_stock", `"sku":"`+sku+`"`, opening)
		s.onHand[sku] = openingUnits
	}
	return s
}

// line writes a line of the file, at the shop's time if that is set.
func (s *movingShop) line(id, typ, target string, body map[string]any) {
	if !s.clock.IsZero() && typ != "register_item" {
		body["occurred_at"] = s.clock.Format(time.RFC3339)
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	if target != "" {
		target += ","
	}
	fmt.Fprintf(&s.lines, `{"id":%q,"type":%q,%s"body":%s}`+"\n", id, typ, target, text)
}

func (s *movingShop) step(key, suffix, typ string, body map[string]any) {
	s.clock = s.later(time.Hour)
	s.line(key+suffix, typ, `"order_key":"`+key+`"`, body)
}

func (s *movingShop) later(by time.Duration) time.Time {
	if s.clock.IsZero() {
		return s.clock
	}
	return s.clock.Add(by)
}

// month is that of the shop's clock.
func (s *movingShop) month() string { return s.clock.Format("2006-01") }

// place begins an order, which is reserved until it is paid. On account it is sold at once.
func (s *movingShop) place(key, sku string, units int64, terms string) movedOrder {
	o := movedOrder{
		sku: sku, units: units, pence: 255 * units,
		status: "reserved", payment: "pending", goods: "unfulfilled", returned: "none",
	}
	s.line(key, "place_order", "", map[string]any{
		"customer_id": "customer-" + key, "currency": "GBP", "reference": key, "payment_terms": terms,
		"lines": []map[string]any{{"sku": sku, "quantity": units, "unit_price": "2.55"}},
	})
	if terms == "on_account" {
		o.status = "confirmed"
		s.committed[sku] += units
		s.sold[s.month()] += o.pence
	} else {
		s.reserved[sku] += units
	}
	return o
}

func (s *movingShop) pay(key string, o *movedOrder) {
	s.step(key, "/paid", "authorize_payment", map[string]any{"amount": pounds(o.pence), "reference": key + "/pi"})
	o.status, o.payment = "confirmed", "authorized"
	s.reserved[o.sku] -= o.units
	s.committed[o.sku] += o.units
	s.sold[s.month()] += o.pence
}

func (s *movingShop) ship(key, suffix string, o *movedOrder, units int64) {
	s.step(key, suffix, "ship_order", map[string]any{
		"lines": []map[string]any{{"sku": o.sku, "quantity": units}}, "tracking_reference": "1Z",
	})
	o.shipped += units
	s.committed[o.sku] -= units
	s.onHand[o.sku] -= units
	if o.goods = "partially_fulfilled"; o.shipped == o.units {
		o.status, o.goods = "completed", "fulfilled"
	}
}

func (s *movingShop) capture(key string, o *movedOrder) {
	s.step(key, "/captured", "capture_payment", map[string]any{"amount": pounds(o.pence), "reference": key + "/ch"})
	o.captured, o.payment = o.pence, "captured"
}

func (s *movingShop) deliver(key string, o *movedOrder) {
	s.step(key, "/there", "deliver_order", map[string]any{"fulfilment_key": key + "/sent"})
	o.goods = "delivered"
}

func (s *movingShop) askReturn(key string, o *movedOrder, units int64) {
	s.step(key, "/back", "request_return", map[string]any{"lines": []map[string]any{{"sku": o.sku, "quantity": units}}})
	o.back, o.returned = units, "requested"
}

// takeBack takes a return into stock and refunds it.
func (s *movingShop) takeBack(key string, o *movedOrder) {
	s.step(key, "/here", "receive_return", map[string]any{
		"return_key": key + "/back",
		"lines":      []map[string]any{{"sku": o.sku, "quantity": o.back, "condition": "resellable"}},
	})
	s.onHand[o.sku] += o.back
	s.sold[s.month()] -= 255 * o.back
	s.step(key, "/refund", "refund_payment", map[string]any{"amount": pounds(255 * o.back), "reference": key + "/re"})
	o.refunded, o.returned = 255*o.back, "received"
	if o.payment = "partially_refunded"; o.refunded == o.captured {
		o.payment = "refunded"
	}
}

func pounds(pence int64) string { return fmt.Sprintf("%d.%02d", pence/100, pence%100) }

// states are the stories of orders before the shop moves. Each leaves the order in another state.
var states = []struct {
	terms string
	story func(s *movingShop, key string, o *movedOrder)
}{
	{"prepaid", func(*movingShop, string, *movedOrder) {}},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) { s.pay(key, o) }},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) { s.pay(key, o); s.ship(key, "/sent", o, 1) }},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) { s.sellWhole(key, o) }},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) { s.sellWhole(key, o); s.deliver(key, o) }},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) {
		s.sellWhole(key, o)
		s.deliver(key, o)
		s.askReturn(key, o, 1)
	}},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) {
		s.sellWhole(key, o)
		s.deliver(key, o)
		s.askReturn(key, o, o.units)
		s.takeBack(key, o)
	}},
	{"prepaid", func(s *movingShop, key string, o *movedOrder) {
		s.step(key, "/cancelled", "cancel_order", map[string]any{"reason": "customer"})
		s.reserved[o.sku] -= o.units
		o.status, o.payment = "cancelled", "pending"
	}},
	{"on_account", func(*movingShop, string, *movedOrder) {}},
	{"on_account", func(s *movingShop, key string, o *movedOrder) { s.ship(key, "/sent", o, o.units); s.deliver(key, o) }},
}

// sellWhole is what happens to an order that is paid and sent whole.
func (s *movingShop) sellWhole(key string, o *movedOrder) {
	s.pay(key, o)
	s.ship(key, "/sent", o, o.units)
	s.capture(key, o)
}

// write writes the orders, one after the other over a year.
func (s *movingShop) write(orders, skus int) {
	began := s.clock
	for i := range orders {
		key, state := fmt.Sprint("shop-", i), states[i%len(states)]
		s.clock = began.Add(time.Duration(i) * (350 * 24 * time.Hour / time.Duration(orders)))
		o := s.place(key, fmt.Sprint("item-", (i*7)%skus), int64(2+i%3), state.terms)
		state.story(s, key, &o)
		s.orders[key] = o
		if i%10 == 0 {
			s.remember(key+"/past", o.sku)
		}
	}
}

// remember writes an order of three units and a credit note of one of them, which are history only. Two lines have the
// order, under ids of their own.
func (s *movingShop) remember(reference, sku string) {
	document := func(units int64) map[string]any {
		return map[string]any{
			"reference": reference, "currency": "GBP",
			"lines": []map[string]any{{"sku": sku, "quantity": units, "unit_price": "2.55"}},
		}
	}
	s.line(reference, "import_order", "", document(3))
	s.line(reference+"/again", "import_order", "", document(3))
	s.line(reference+"/credit", "import_credit_note", "", document(1))
	s.onHand[sku] -= 2
	s.sold[s.month()] += 2 * 255
}

// live goes on with the orders where their stories ended, today.
func (s *movingShop) live() {
	s.lines.Reset()
	s.clock = time.Time{}
	for i := range len(s.orders) {
		key := fmt.Sprint("shop-", i)
		o := s.orders[key]
		switch i % len(states) {
		case 1, 8:
			s.ship(key, "/sent", &o, o.units)
		case 2:
			s.ship(key, "/rest", &o, o.units-1)
		case 3:
			s.deliver(key, &o)
		case 4:
			s.askReturn(key, &o, 2)
			s.takeBack(key, &o)
		case 5:
			s.takeBack(key, &o)
		}
		s.orders[key] = o
	}
}

// A shop of orders in every state moves in, goes on living, and is at every step what its own account says.
func TestAShopMovesIn(t *testing.T) {
	const skus = 40
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, filepath.Join(dir, "data"))
	shop := newMovingShop(skus)
	shop.write(ordersThatMove(), skus)
	imported := func(name string) {
		t.Helper()
		file := write(t, filepath.Join(dir, name), shop.lines.String())
		if out, status := p.importLines(t, binary, p.url, nil, file); status != 0 || strings.Contains(out, "warning") {
			text, _ := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(name, ".ndjson")+".rejects.ndjson"))
			t.Fatalf("status %d\n%s%.3000s", status, out, text)
		}
	}
	imported("move.ndjson")
	p.isAsTheShopSays(t, shop)
	imported("move.ndjson") // once more adds nothing
	p.isAsTheShopSays(t, shop)
	p.soldByMonth(t, shop)

	shop.live()
	imported("life.ndjson")
	p.isAsTheShopSays(t, shop)
	p.nothingBeyondTheOrder(t, binary, dir)
	p.isAsTheShopSays(t, shop)
	p.verify(t, binary)
	p.verifyMirror(t, binary)
}

// nothingBeyondTheOrder credits an order of three units, of which two came back, with more than is left of it.
func (p *platform) nothingBeyondTheOrder(t *testing.T, binary, dir string) {
	t.Helper()
	file := write(t, filepath.Join(dir, "beyond.ndjson"),
		`{"id":"b-1","type":"request_return","order_key":"shop-4","body":{"lines":[{"sku":"item-28","quantity":2}]}}`+"\n"+
			`{"id":"b-2","type":"refund_payment","order_key":"shop-4","body":{"amount":"2.56"}}`)
	if out, status := p.importLines(t, binary, p.url, nil, file); status != 1 {
		t.Fatalf("status %d\n%s", status, out)
	}
	var codes []string
	for _, r := range readRejects(t, filepath.Join(dir, "beyond.rejects.ndjson")) {
		codes = append(codes, r.Problem.Code)
	}
	if want := []string{"over_return", "over_refund"}; !slices.Equal(codes, want) {
		t.Errorf("refused with %v, want %v", codes, want)
	}
}

// isAsTheShopSays compares stock and orders with the shop's account.
func (p *platform) isAsTheShopSays(t *testing.T, s *movingShop) {
	t.Helper()
	c, after := client.New(p.url), client.After(p.position(t))
	for sku, onHand := range s.onHand {
		item, err := c.Stock(testContext(t), sku, after)
		if err != nil {
			t.Fatal(err)
		}
		got := [3]int64{item.Value.OnHand, item.Value.Reserved, item.Value.Committed}
		if want := [3]int64{onHand, s.reserved[sku], s.committed[sku]}; got != want {
			t.Errorf("%s has %v on hand, reserved and committed, the shop says %v", sku, got, want)
		}
	}
	for key, want := range s.orders {
		order, err := c.Order(testContext(t), orderid.ByKey(orderid.DefaultTenant, key), after)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		o := &order.Value
		got := movedOrder{
			sku: want.sku, units: want.units, shipped: o.Lines[0].Shipped, back: want.back,
			pence: pence(t, o.Total), captured: pence(t, o.Captured), refunded: pence(t, o.Refunded),
			status: string(o.Status), payment: string(o.PaymentStatus), goods: string(o.FulfilmentStatus),
			returned: string(o.ReturnStatus),
		}
		if got != want {
			t.Errorf("%s is %+v, the shop says %+v", key, got, want)
		}
	}
}

// soldByMonth compares revenue with the shop's account. Each order is sold in the month in which it was, not today.
func (p *platform) soldByMonth(t *testing.T, s *movingShop) {
	t.Helper()
	report, err := client.New(p.url).Revenue(testContext(t),
		client.ReportFilter{By: "month", Currency: "GBP", Limit: 100}, client.After(p.position(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Value.Items {
		if got := pence(t, row.Revenue); got != s.sold[row.Month] {
			t.Errorf("%s: revenue of %d, the shop says %d", row.Month, got, s.sold[row.Month])
		}
		delete(s.sold, row.Month)
	}
	for month, sold := range s.sold {
		if sold != 0 {
			t.Errorf("%s: no revenue, the shop says %d", month, sold)
		}
	}
}

func pence(t *testing.T, amount string) int64 {
	t.Helper()
	micros, err := money.Parse(amount)
	if err != nil {
		t.Fatal(err)
	}
	return micros / 10_000
}

var ndjsonOfPage = regexp.MustCompile("(?s)```json\n(.*?)```")

// The lines of docs/migrate.md are taken as they stand there, one file after the other.
func TestTheFilesOfTheMigrationPageMoveIn(t *testing.T) {
	binary, dir := build(t), t.TempDir()
	p := dev(t, binary, filepath.Join(dir, "data"))
	page, err := os.ReadFile("../../docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, block := range ndjsonOfPage.FindAllStringSubmatch(string(page), -1) {
		all.WriteString(block[1])
	}
	file := write(t, filepath.Join(dir, "move.ndjson"), all.String())
	out, status := p.importLines(t, binary, p.url, nil, file)
	if status != 0 || strings.Count(all.String(), "\n") < 10 {
		text, _ := os.ReadFile(filepath.Join(dir, "move.rejects.ndjson"))
		t.Fatalf("status %d\n%s%s", status, out, text)
	}
	item, err := client.New(p.url).Stock(testContext(t), "85123A", client.After(p.position(t)))
	if err != nil || item.Value.OnHand != 40 || item.Value.Committed != 1 {
		t.Errorf("%+v, %v", item, err)
	}
	p.verify(t, binary)
}
