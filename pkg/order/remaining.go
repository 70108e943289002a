package order

import (
	"cmp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Which lines a quantity is of.
//
//	ORD-69  A line's number is its place in the order, from 1. It keeps that. A command names a line by its SKU and
//	        number (unknown_line), or a SKU alone. A SKU alone means its lines in their order where goods ship, arrive
//	        or come back, with units that are in stock before backordered ones; where units are cancelled, its last
//	        lines first. Events have the number of each line. Those of before this rule have SKUs alone, which mean the
//	        same lines.

// remaining is what remains of a line: to ship, to arrive or to come back. ready is the portion that is not
// backordered.
type remaining struct {
	sku         string
	line        int32
	left, ready int64
}

// remainingLines are sorted by SKU and line.
type remainingLines []remaining

// remains lists what left has of each line, without lines that have nothing left.
func (o *Order) remains(left func(*Line) int64) remainingLines {
	all := make(remainingLines, 0, len(o.Lines))
	for i := range o.Lines {
		if n := left(&o.Lines[i]); n > 0 {
			all = append(all, remaining{o.Lines[i].SKU, int32(i) + 1, n, n})
		}
	}
	return all.sorted()
}

// priced is remains of the lines of a SKU and price: those that a quantity with its price may be of, where its event
// does not name a line.
func (o *Order) priced(sku string, priceMicros int64, left func(*Line) int64) (lines remainingLines) {
	for i := range o.Lines {
		l := &o.Lines[i]
		if l.SKU != sku || l.UnitPriceMicros != priceMicros {
			continue
		}
		if n := left(l); n > 0 {
			lines = append(lines, remaining{sku, int32(i) + 1, n, n})
		}
	}
	return lines
}

// left is what remains to ship.
func (o *Order) left() remainingLines {
	all := o.remains((*Line).left)
	for i := range all {
		all[i].ready -= o.Lines[all[i].line-1].Backordered
	}
	return all
}

func (u remainingLines) sorted() remainingLines {
	slices.SortFunc(u, func(a, b remaining) int {
		return cmp.Or(strings.Compare(a.sku, b.sku), cmp.Compare(a.line, b.line))
	})
	return u
}

// quantities are all that remains, by line.
func (u remainingLines) quantities() []LineQuantity {
	lines := make([]LineQuantity, len(u))
	for i := range u {
		lines[i] = LineQuantity{u[i].sku, u[i].left, u[i].line}
	}
	return byLine(lines)
}

// byLine sorts quantities by their lines.
func byLine(lines []LineQuantity) []LineQuantity {
	slices.SortFunc(lines, func(a, b LineQuantity) int { return cmp.Compare(a.Line, b.Line) })
	return lines
}

// shippable is what remains to ship and is in no fulfilment that is being packed.
func (o *Order) shippable() remainingLines {
	all := o.left()
	for _, f := range o.Fulfilments {
		if f.Pending {
			all.takeAll(f.Lines)
		}
	}
	return all.some()
}

// some is without lines of which nothing remains.
func (u remainingLines) some() remainingLines {
	return slices.DeleteFunc(u, func(r remaining) bool { return r.left <= 0 })
}

// of are the lines of a SKU.
func (u remainingLines) of(sku string) remainingLines {
	from, _ := slices.BinarySearchFunc(u, sku, func(a remaining, sku string) int { return strings.Compare(a.sku, sku) })
	to := from
	for to < len(u) && u[to].sku == sku {
		to++
	}
	return u[from:to]
}

// take removes a quantity from the line that it names, and what that does not have from the lines of its SKU. It
// appends what it removed of each line to got. Only lines of events from before ORD-69 have less than what is named.
func (u remainingLines) take(l LineQuantity, got []LineQuantity) []LineQuantity {
	lines := u.of(l.SKU)
	take := func(r *remaining, most int64) {
		n := min(l.Quantity, most)
		if n <= 0 {
			return
		}
		r.left -= n
		r.ready -= n
		l.Quantity -= n
		got = append(got, LineQuantity{r.sku, n, r.line})
	}
	if l.Line > 0 {
		for i := range lines {
			if lines[i].line == l.Line {
				take(&lines[i], lines[i].left)
			}
		}
	}
	for i := range lines {
		take(&lines[i], lines[i].ready)
	}
	for i := range lines {
		take(&lines[i], lines[i].left)
	}
	return got
}

// takeAll removes quantities, and returns what it removed, an entry a line.
func (u remainingLines) takeAll(lines []LineQuantity) []LineQuantity {
	got := make([]LineQuantity, 0, len(lines))
	for _, l := range lines {
		got = u.take(l, got)
	}
	return added(got)
}

// takeLast is take for units that will not ship: of a SKU alone, the last lines come first.
func (u remainingLines) takeLast(l LineQuantity, got []LineQuantity) []LineQuantity {
	lines := u.of(l.SKU)
	for i := len(lines) - 1; i >= 0; i-- {
		r := &lines[i]
		if n := min(l.Quantity, r.left); n > 0 && (l.Line == 0 || l.Line == r.line) {
			r.left -= n
			r.ready = min(r.ready, r.left)
			l.Quantity -= n
			got = append(got, LineQuantity{r.sku, n, r.line})
		}
	}
	return got
}

// added adds up the quantities of each line, and sorts them by line.
func added(lines []LineQuantity) []LineQuantity {
	byLine(lines)
	sums := lines[:0]
	for _, l := range lines {
		if n := len(sums); n > 0 && sums[n-1].Line == l.Line {
			sums[n-1].Quantity += l.Quantity
			continue
		}
		sums = append(sums, l)
	}
	return sums
}

// choice says what may be chosen, and the code of a refusal of more than that.
type choice struct {
	over      string
	readyOnly bool
	// cancel: of a SKU alone the last lines come first.
	cancel bool
}

// choose removes what a command names from what remains. It returns that, an entry a line.
func (u remainingLines) choose(o *Order, lines []LineQuantity, c choice) ([]LineQuantity, error) {
	if len(lines) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "there are at most 2000 lines")
	}
	chosen := make([]LineQuantity, 0, len(lines))
	for i, l := range lines {
		var err error
		if chosen, err = u.chooseOne(o, i, l, c, chosen); err != nil {
			return nil, err
		}
	}
	return added(chosen), nil
}

// chooseOne is choose for entry i of a command. It appends to chosen.
func (u remainingLines) chooseOne(
	o *Order, i int, l LineQuantity, c choice, chosen []LineQuantity,
) ([]LineQuantity, error) {
	if l.Quantity < 1 || l.Quantity > limits.MaxQuantity*limits.MaxLines {
		return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 1 unit or more")
	}
	if l.Line != 0 && !o.hasLine(l.Line, l.SKU) {
		return nil, unknownLine(i)
	}
	var left, ready int64
	for _, r := range u.of(l.SKU) {
		if l.Line == 0 || l.Line == r.line {
			left += r.left
			ready += r.ready
		}
	}
	what := "SKU"
	if l.Line != 0 {
		what = "line"
	}
	if left < l.Quantity {
		return nil, refuse(c.over, linePointer(i, "quantity"), "more than what is left of this "+what)
	}
	if c.readyOnly && ready < l.Quantity {
		return nil, refuse(CodeBackordered, linePointer(i, "quantity"), "part of this "+what+" waits for stock to come")
	}
	if c.cancel {
		return u.takeLast(l, chosen), nil
	}
	return u.take(l, chosen), nil
}

// hasLine reports whether the line of a number has a SKU.
func (o *Order) hasLine(line int32, sku string) bool {
	return line > 0 && int(line) <= len(o.Lines) && o.Lines[line-1].SKU == sku
}

func unknownLine(i int) *Error {
	return refuse(CodeUnknownLine, linePointer(i, "line"), "the order has no such line of this SKU; lines count from 1")
}

// quantityBySKU is what is still to be spread over lines.
type quantityBySKU map[string]int64

func bySKU(lines []LineQuantity) quantityBySKU {
	left := make(quantityBySKU, len(lines))
	for _, l := range lines {
		left[l.SKU] += l.Quantity
	}
	return left
}

// use removes at most limit of a SKU, and returns how much that is.
func (l quantityBySKU) use(sku string, limit int64) int64 {
	used := max(0, min(l[sku], limit))
	if used > 0 {
		l[sku] -= used
	}
	return used
}
