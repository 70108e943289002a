package order

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write docs/states.md and docs/rules.md again")

// variant is an input that an order may get: a command of the API with its name, or something that happens without one.
type variant struct {
	name     string
	commands func(Order) []Command
}

func just(cmds ...Command) func(Order) []Command { return func(Order) []Command { return cmds } }

// operations are the API's commands on orders, each with bodies that lead to all of its outcomes.
var operations = []variant{
	{"place_order", just(twoSKUs(Prepaid), twoSKUs(OnAccount))},
	{"start_payment", just(start("", 6_000))},
	{"authorize_payment", func(o Order) []Command {
		return []Command{authorize(o.TotalMicros-o.authorized(), "", 6_000), authorize(2_000_000, "", 6_000)}
	}},
	{"capture_payment", func(o Order) []Command {
		return []Command{CapturePayment{AmountMicros: o.openAuthorization()}, CapturePayment{AmountMicros: 1_000_000}}
	}},
	{"void_payment", just(VoidPayment{})},
	{"refund_payment", just(RefundPayment{}, RefundPayment{AmountMicros: 500_000})},
	{"fail_payment", just(FailPayment{})},
	{"confirm_order", just(Confirm{})},
	{"hold_order", just(Hold{})},
	{"resume_order", just(Resume{6_000})},
	{"cancel_lines",
		just(CancelLines{Lines: line("a", 1)}, CancelLines{Lines: line("b", 4)},
			CancelLines{Lines: []LineQuantity{{"a", 2, 0}, {"b", 4, 0}}})},
	{"amend_order",
		just(Amend{Lines: []AmendLine{{SKU: "b", Quantity: 5}}}, Amend{Lines: []AmendLine{{SKU: "b", Quantity: 3}}})},
	{"create_fulfilment", just(CreateFulfilment{"f1", line("a", 1)})},
	{"ship_order", just(Ship{FulfilmentID: "f2"}, Ship{FulfilmentID: "f3", Lines: line("a", 1)})},
	{"ship_fulfilment", just(ShipFulfilment{FulfilmentID: "f1"})},
	{"cancel_fulfilment", just(CancelFulfilment{FulfilmentID: "f1"})},
	{"deliver_order", just(Deliver{FulfilmentID: "f1"}, Deliver{FulfilmentID: "f2"}, Deliver{FulfilmentID: "f3"})},
	{"fail_delivery", just(FailDelivery{FulfilmentID: "f1", Condition: Resellable},
		FailDelivery{FulfilmentID: "f2", Condition: Lost}, FailDelivery{FulfilmentID: "f3", Condition: Damaged},
		FailDelivery{FulfilmentID: "f2", Condition: Lost, Cancel: true})},
	{"reverse_shipment", just(ReverseShipment{FulfilmentID: "f2"}, ReverseShipment{FulfilmentID: "f3"})},
	{"reverse_delivery", just(ReverseDelivery{FulfilmentID: "f2"}, ReverseDelivery{FulfilmentID: "f3"})},
	{"cancel_order", just(Cancel{})},
	{"request_return", just(RequestReturn{ReturnID: "r"})},
	{"receive_return",
		just(ReceiveReturn{ReturnID: "r", Lines: []ReturnedLine{{"a", 1, Resellable, 0}}},
			ReceiveReturn{ReturnID: "r", Lines: []ReturnedLine{{"a", 2, Damaged, 0}, {"b", 4, Resellable, 0}}})},
	{"cancel_return", just(CancelReturn{ReturnID: "r"})},
}

// happenings come from stock and from the clock.
var happenings = []variant{
	{"stock has it all", just(stockAnswers(granted))},
	{"stock has part of it to come", just(backordered(2))},
	{"stock is short, or has lost what it held", just(stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		for i := range c.Answers {
			c.Answers[i].Rejected, c.Answers[i].RejectionReason = true, ReasonInsufficientStock
		}
		return c
	}))},
	{"goods have come that it waited for",
		func(o Order) []Command { return []Command{backorderOf(o.ReservationVersion, 0, o.stockVersion("a")+1)} }},
	{"goods that were promised are missing",
		func(o Order) []Command {
			return []Command{backorderOf(o.ReservationVersion, 1, o.stockVersion("a")+1)}
		}},
	{"the payment deadline passes", just(Expire{9_000})},
}

var statuses = []Lifecycle{None, Placed, Reserved, Confirmed, OnHold, Completed, Rejected, Cancelled, Expired}

// explored is what an order can do, found by trying every input in every status.
type explored struct {
	// cells: input and status → the statuses that it leads to, or the codes of its refusals.
	cells map[string]map[Lifecycle]map[string]bool
	// edges: of each status, from → to → the events that do it.
	edges   map[string]map[[2]string]map[string]bool
	problem string
}

// kindOf distinguishes orders that react differently to inputs.
func kindOf(o Order) string {
	var left, delivered, returned, open int64
	for i := range o.Lines {
		left += o.Lines[i].left()
		delivered += o.Lines[i].Delivered
		returned += o.Lines[i].Returned
	}
	for i := range o.Returns {
		open += int64(len(o.Returns[i].open()))
	}
	return fmt.Sprint(o.Lifecycle, o.HeldFrom, o.Terms, o.PaymentStatus(), o.FulfilmentStatus(), o.ReturnStatus(),
		left, delivered, returned, open, o.Backordered("a") > 0, o.awaitsReturn(), len(o.Fulfilments),
		o.hasFulfilment(func(f Fulfilment) bool { return f.Pending }),
		o.hasFulfilment(func(f Fulfilment) bool { return f.Reversed }),
		o.openAuthorization() > 0, o.Amendment != nil, o.PaymentDue)
}

func explore() *explored {
	x := &explored{cells: map[string]map[Lifecycle]map[string]bool{}, edges: map[string]map[[2]string]map[string]bool{}}
	seen := map[string]bool{}
	for queue := []Order{{ID: "o-1"}}; len(queue) > 0; queue = queue[1:] {
		o := queue[0]
		for _, v := range slices.Concat(operations, happenings) {
			illegal := true
			for _, cmd := range v.commands(o) {
				if c, ok := cmd.(stockAnswers); ok && o.Version > 0 {
					cmd = c(o)
				} else if ok {
					continue // nobody has asked
				}
				after, code := x.try(o, v.name, cmd)
				illegal = illegal && code == CodeIllegalTransition
				if k := kindOf(after); !seen[k] {
					seen[k] = true
					queue = append(queue, after)
				}
			}
			if illegal && slices.Contains(o.allowed(), v.name) {
				x.problem = fmt.Sprintf("%s is allowed and refused, of %+v", v.name, o)
			}
		}
	}
	return x
}

// try gives one command to an order and notes the result.
func (x *explored) try(o Order, name string, cmd Command) (after Order, code string) {
	events, err := Decide(o, cmd)
	var refusal *Error
	if errors.As(err, &refusal) {
		x.cell(name, o.Lifecycle)[refusal.Code] = true
		return o, refusal.Code
	}
	after = o
	for _, ev := range events {
		before := after
		after = Evolve(after, ev, Facts{EventID: ID{1}})
		for status, of := range map[string]func(Order) string{
			"payment": Order.PaymentStatus, "fulfilment": Order.FulfilmentStatus, "return": Order.ReturnStatus,
			"order": func(o Order) string { return o.Lifecycle.String() },
		} {
			if from, to := of(before), of(after); from != to && before.Version > 0 {
				x.edge(status, from, to)[eventName(ev)] = true
			}
		}
	}
	if len(events) > 0 {
		x.cell(name, o.Lifecycle)["→ "+after.Lifecycle.String()] = true
	}
	return after, ""
}

func (x *explored) cell(name string, l Lifecycle) map[string]bool {
	if x.cells[name] == nil {
		x.cells[name] = map[Lifecycle]map[string]bool{}
	}
	if x.cells[name][l] == nil {
		x.cells[name][l] = map[string]bool{}
	}
	return x.cells[name][l]
}

func (x *explored) edge(status, from, to string) map[string]bool {
	if x.edges[status] == nil {
		x.edges[status] = map[[2]string]map[string]bool{}
	}
	if x.edges[status][[2]string{from, to}] == nil {
		x.edges[status][[2]string{from, to}] = map[string]bool{}
	}
	return x.edges[status][[2]string{from, to}]
}

// eventName is the schema's name of an event.
func eventName(ev Event) string {
	var b strings.Builder
	for i, r := range reflect.TypeOf(ev).Name() {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// text is a cell: where the input leads, or the codes of its refusals.
func text(found map[string]bool, from Lifecycle) string {
	leads := slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(s string) bool {
		return !strings.HasPrefix(s, "→ ")
	})
	switch {
	case len(leads) == 1 && leads[0] == "→ "+from.String():
		return "stays"
	case len(leads) > 0:
		for i, to := range leads {
			if leads[i] = strings.TrimPrefix(to, "→ "); leads[i] == from.String() {
				leads[i] = "stays"
			}
		}
		return strings.Join(leads, ", ")
	case found[CodeIllegalTransition] || len(found) == 0:
		return "·"
	}
	return "`" + strings.Join(slices.Sorted(maps.Keys(found)), "`, `") + "`"
}

const statesHead = `# States

Where an order can stand, and what takes it from there. Four statuses are kept apart, and none of them is ever set: each
follows from the order's events. This page is made by trying everything everywhere: ` +
	"`go test ./pkg/order -update`" + `.

A command that a status does not take is refused with 409 ` + "`illegal_transition`" + `, with ` + "`current_status`" +
	` and ` + "`allowed`" + `: the commands
that are open to this very order. Other codes are in [errors.md](errors.md); the rules stand above ` +
	"`order.Decide`" + `.

## What an order takes

Where a command leads; "stays" is the same status, "·" is ` + "`illegal_transition`" + `. Several outcomes depend on ` +
	`the order's
quantities and money. Past documents (imported orders, credit notes) are completed and take nothing.

`

func (x *explored) page() string {
	var b strings.Builder
	b.WriteString(statesHead)
	x.table(&b, "command", operations)
	b.WriteString("\nWhat stock answers and the clock does; here \"·\" changes nothing:\n\n")
	x.table(&b, "", happenings)
	for _, status := range []struct{ name, title string }{
		{"order", "Status"}, {"payment", "Payment status"}, {"fulfilment", "Fulfilment status"}, {"return", "Return status"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| from | to | by |\n|---|---|---|\n", status.title)
		edges := x.edges[status.name]
		order := func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) }
		for _, e := range slices.SortedFunc(maps.Keys(edges), order) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", e[0], e[1], strings.Join(slices.Sorted(maps.Keys(edges[e])), ", "))
		}
	}
	return b.String()
}

func (x *explored) table(b *strings.Builder, title string, rows []variant) {
	fmt.Fprintf(b, "| %s |", title)
	for _, l := range statuses {
		fmt.Fprintf(b, " %s |", l)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(statuses)) + "\n")
	for _, v := range rows {
		fmt.Fprintf(b, "| %s |", v.name)
		for _, l := range statuses {
			fmt.Fprintf(b, " %s |", text(x.cells[v.name][l], l))
		}
		b.WriteByte('\n')
	}
}

// The page of states is what the rules do. Every status of the API occurs in it, and no allowed command is refused.
func TestThePageOfStatesIsUpToDate(t *testing.T) {
	x := explore()
	if x.problem != "" {
		t.Error(x.problem)
	}
	for status, words := range map[string]string{
		"order":      "placed reserved confirmed completed rejected cancelled expired on_hold",
		"payment":    "pending authorized partially_captured captured partially_refunded refunded voided failed",
		"fulfilment": "unfulfilled partially_fulfilled fulfilled delivered",
		"return":     "none requested partially_received received",
	} {
		for _, word := range strings.Fields(words) {
			reached := word == "none"
			for e := range x.edges[status] {
				reached = reached || e[0] == word || e[1] == word
			}
			if !reached {
				t.Errorf("no order is ever %s", word)
			}
		}
	}
	checkPage(t, filepath.Join("..", "..", "docs", "states.md"), x.page())
}

// checkPage holds a page that is made from the code to the file; with -update it writes the file.
func checkPage(t *testing.T, file, page string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Errorf("%s is not what the code says: go test ./pkg/order -update", file)
	}
}
