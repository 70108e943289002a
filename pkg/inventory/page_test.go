package inventory

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/stock.md again")

const stockHead = `# Stock

Where units of an item can be, and what takes them from there. Each location has its own; an item's are those of its
locations added up. This page is made by running each command: ` + "`go test ./pkg/inventory -update`" + `.

    on_hand = available − backordered + reserved + committed + safety_stock + damaged + quality_control

That is so for each location, and for their sum, in every answer of the API. Events, the topic of availability and
ClickHouse have available − backordered in one number, called available, which is below 0 where orders wait.

| state | |
|---|---|
| available | can be promised |
| backordered | promised, and not there: orders wait for it |
| reserved | promised to an order that is not confirmed |
| committed | promised to an order that is: it will ship |
| safety_stock | held back from sale: what set_safety_stock asks for, as far as it is there |
| damaged | on the shelf, and cannot be sold |
| quality_control | on the shelf, and not yet released |
| incoming | outside of on_hand: expected deliveries, and transfers on their way |

What is promised to orders (reserved, committed) is moved by their steps alone. A count, an adjustment or a move to
damaged or quality_control may leave less than was promised: see [shortfalls](#shortfalls).

## What a command moves

| command | does |
|---|---|
`

const stockTail = `
An order's step is absolute: it says how much is to be reserved, committed and shipped in all, ` +
	`so one that is repeated moves
nothing. When goods become available, orders that wait get them within the same decision, first in, first out: those
that wait at the goods' location, then those that wait at others. An order of single_location has nothing from another
location than the one that it waits at, so orders that came after it may get what comes to others.

What had left and did not arrive ships again, unless it is cancelled (fail_delivery). Units that came back for sale go
to their own order first, also where others wait. Other units are taken from what is available, and what is missing is
backordered, whatever the backorder limit is.

Safety stock takes what the location has available, up to what it is to be, in each decision: after orders that wait,
and before anything is for sale. A move into it, or out of it, changes what it is to be by as much. After
a move from it to available it is to be what is left.

A shipment that was recorded by mistake is taken back (reverse_shipment): its goods are on hand again at the locations
that it took them from, and committed to the order. Stock keeps fulfilled and restocked of it, so its ledger has both.
The goods come back to the books in any case. Where the location was counted after the shipment, or the shipment had to
add units that the books did not have, count it again.

## Shortfalls

Where a location lacks what orders were promised there, the same transaction says whose goods are missing:

1. Safety stock of the location covers it first. What comes restores it.
2. Then the orders lose it that were promised it last (latest promised first). An order was promised an item when it was
   first reserved for it; an amendment changes nothing about that.
3. What an order loses, it gets at other locations of the item that have it available, as far as its allocation rule
   allows: split takes what each has, fewest_locations as few locations as can be, and single_location moves all of the
   order to one location that has it, if nothing of it has shipped.
4. What is not found is backordered where it was lost, whatever the backorder limit. It counts against that limit, so
   fewer new orders are accepted meanwhile. The next goods fill it like any backorder: those that wait longest come
   first.

What an order lost does not ship (backordered), until it has come again or was found. Goods that are there all the same
ship with a backordered_reason: what the location does not have on hand is added to it first, as a correction, and what
it has for other orders is then missing for them.

Stock records reservation_fell_short, and the order order_fell_short, which is in its timeline. GET /v1/stock/{sku}
lists who waits for what. At most 10,000 orders wait for an item; what more is missing gets an owner as they become
fewer. Holdfast asks for no policy: an order that must have its goods is amended, or another is cancelled, by hand.

## What units cost

A receipt may say what one unit cost (unit_cost, cost_currency). The rules do not ask for it, and it moves nothing. The
insight cost_of_goods computes from the ledger what the units had cost that were sold, first in, first out over all
locations ([insights](insights.md#what-goods-cost)).

## A transfer

| | on_hand where it leaves | on_hand where it goes | incoming where it goes |
|---|---|---|---|
`

// moved says which states an event's levels changed, by location, in words.
func moved(before, after Item) string {
	var changes []string
	for _, l := range after.Locations {
		was, is := before.at(l.Location), l.Level
		for _, state := range []struct {
			name     string
			was, now int64
		}{
			{"on_hand", was.OnHand, is.OnHand}, {"available", was.Available, is.Available},
			{"reserved", was.Reserved, is.Reserved},
			{"committed", was.Committed, is.Committed}, {"safety_stock", was.SafetyStock, is.SafetyStock},
			{"damaged", was.Damaged, is.Damaged}, {"quality_control", was.QualityControl, is.QualityControl},
			{"incoming", was.Incoming, is.Incoming},
		} {
			if by := state.now - state.was; by != 0 {
				at := ""
				if l.Location != DefaultLocation {
					at = " at " + l.Location
				}
				changes = append(changes, fmt.Sprintf("%s %+d%s", state.name, by, at))
			}
		}
	}
	if len(changes) == 0 {
		return "moves nothing"
	}
	return strings.Join(changes, ", ")
}

// stocked is an item with units in every state, an expected delivery and a transfer on its way.
func stocked(t *testing.T) (Item, Reservation) {
	t.Helper()
	item, res := Item{}, Reservation{}
	for _, c := range []Command{
		RegisterItem{Description: "Heart"}, ReceiveStock{Quantity: 100}, ExpectStock{Quantity: 30, Reference: "PO-1"},
		ShipTransfer{TransferID: "t-1", ToLocation: "north", Quantity: 9}, SetSafetyStock{Quantity: 5},
		MoveStock{From: StateAvailable, To: StateDamaged, Quantity: 5},
		MoveStock{From: StateAvailable, To: StateQualityControl, Quantity: 5},
		SetReservation{OrderID: "o-1", Version: 1, Reserved: 10, Committed: 10},
	} {
		item, res = after(t, item, res, c)
	}
	return item, res
}

func after(t *testing.T, item Item, res Reservation, c Command) (Item, Reservation) {
	t.Helper()
	events, err := Decide(item, res, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	for _, ev := range events {
		item, res = Evolve(item, res, ev)
	}
	return item, res
}

// The page says what each command does, as the rules do it.
func TestThePageOfStockIsUpToDate(t *testing.T) {
	item, res := stocked(t)
	page := strings.Builder{}
	page.WriteString(stockHead)
	for _, row := range []struct {
		name string
		Command
	}{
		{"register_item", RegisterItem{Description: "Hearts"}},
		{"set_backorder_limit 20", SetBackorderLimit{20}},
		{"receive_stock 3", ReceiveStock{Quantity: 3}},
		{"receive_stock 3, of a delivery that was expected", ReceiveStock{Quantity: 3, Reference: "PO-1"}},
		{"expect_stock 50, where 30 were", ExpectStock{Quantity: 50, Reference: "PO-1"}},
		{"expect_stock 0, where 30 were", ExpectStock{Reference: "PO-1"}},
		{"move_stock 2, available to damaged", MoveStock{From: StateAvailable, To: StateDamaged, Quantity: 2}},
		{"move_stock 2, quality_control to available", MoveStock{From: StateQualityControl, To: StateAvailable, Quantity: 2}},
		{"set_safety_stock 8, where 5 were", SetSafetyStock{Quantity: 8}},
		{"adjust_stock -4", AdjustStock{Delta: -4, Reason: ReasonShrinkage}},
		{"count_stock 90, where the books say 91", CountStock{Counted: 90}},
		{"ship_transfer 6 to north", ShipTransfer{TransferID: "t-2", ToLocation: "north", Quantity: 6}},
		{"receive_transfer 9: 6 good, 2 damaged, 1 missing",
			ReceiveTransfer{TransferID: "t-1", Quantity: 6, Damaged: 2, Missing: 1}},
		{"cancel_transfer, of which 9 have not arrived", CancelTransfer{TransferID: "t-1"}},
		{"an order wants 5 more", SetReservation{OrderID: "o-1", Version: 2, Reserved: 15, Committed: 10}},
		{"an order is confirmed", SetReservation{OrderID: "o-1", Version: 2, Committed: 20}},
		{"an order is cancelled", SetReservation{OrderID: "o-1", Version: 2}},
		{"4 of an order ship", SetReservation{OrderID: "o-1", Version: 2, Reserved: 10, Committed: 6, Fulfilled: 4}},
	} {
		now, _ := after(t, item, res, row.Command)
		fmt.Fprintf(&page, "| %s | %s |\n", row.name, moved(item, now))
	}
	shipped, reservation := after(t, item, res,
		SetReservation{OrderID: "o-1", Version: 2, Reserved: 10, Committed: 6, Fulfilled: 4})
	back, _ := after(t, shipped, reservation,
		SetReservation{OrderID: "o-1", Version: 3, Reserved: 10, Committed: 6, Fulfilled: 4, Restocked: 1, Damaged: 1})
	fmt.Fprintf(&page, "| 2 come back, 1 of them damaged | %s |\n", moved(shipped, back))
	again := SetReservation{OrderID: "o-1", Version: 3, Reserved: 10, Committed: 10, Fulfilled: 4, ShipAgain: 4}
	lost, _ := after(t, shipped, reservation, again)
	fmt.Fprintf(&page, "| 4 do not arrive, are lost, and ship again | %s |\n", moved(shipped, lost))
	again.Restocked = 4
	returned, _ := after(t, shipped, reservation, again)
	fmt.Fprintf(&page, "| 4 do not arrive, come back, and ship again | %s |\n", moved(shipped, returned))
	again.Reversed = []Reversed{{2, 4}}
	reversed, _ := after(t, shipped, reservation, again)
	fmt.Fprintf(&page, "| the shipment of 4 is taken back | %s |\n", moved(shipped, reversed))
	page.WriteString(stockTail)
	onTheWay(t, &page, item, res)
	file := filepath.Join("..", "..", "docs", "stock.md")
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page.String() {
		t.Error("docs/stock.md is not what the rules do: go test ./pkg/inventory -update")
	}
}

// onTheWay follows a transfer to its end.
func onTheWay(t *testing.T, page *strings.Builder, item Item, res Reservation) {
	t.Helper()
	start := item
	for _, step := range []struct {
		name string
		Command
	}{
		{"8 leave: on their way", ShipTransfer{TransferID: "t-2", ToLocation: "south", Quantity: 8}},
		{"5 arrive: partly received", ReceiveTransfer{TransferID: "t-2", Quantity: 5}},
		{"2 arrive damaged: partly received", ReceiveTransfer{TransferID: "t-2", Damaged: 2}},
		{"1 is missing: over, and its ID is not known any more", ReceiveTransfer{TransferID: "t-2", Missing: 1}},
	} {
		item, res = after(t, item, res, step.Command)
		left, there := item.at(DefaultLocation).OnHand-start.at(DefaultLocation).OnHand, item.at("south")
		fmt.Fprintf(page, "| %s | %+d | %d | %d |\n", step.name, left, there.OnHand, there.Incoming)
	}
	if slices.ContainsFunc(item.Transfers, func(x Transfer) bool { return x.ID == "t-2" }) {
		t.Error("the transfer is not over")
	}
}
