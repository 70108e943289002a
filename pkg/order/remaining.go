package order

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/limits"
)

// remaining is what remains of a SKU: to ship, to arrive or to come back. ready is the portion that is not backordered.
type remaining struct {
	sku         string
	left, ready int64
}

// remainingSKUs have one entry a SKU and are sorted by SKU.
type remainingSKUs []remaining

// left is what remains to ship, without SKUs of which nothing does.
func (o *Order) left() remainingSKUs {
	all := make(remainingSKUs, 0, len(o.Lines))
	for i := range o.Lines {
		if left := o.Lines[i].left(); left > 0 {
			all = append(all, remaining{o.Lines[i].SKU, left, left - o.Lines[i].Backordered})
		}
	}
	return all.sorted()
}

// sorted adds up the entries of each SKU, and sorts by SKU.
func (u remainingSKUs) sorted() remainingSKUs {
	slices.SortFunc(u, func(a, b remaining) int { return strings.Compare(a.sku, b.sku) })
	merged := u[:0]
	for _, l := range u {
		if n := len(merged); n > 0 && merged[n-1].sku == l.sku {
			merged[n-1].left += l.left
			merged[n-1].ready += l.ready
			continue
		}
		merged = append(merged, l)
	}
	return merged
}

// quantities are all that remains.
func (u remainingSKUs) quantities() []LineQuantity {
	lines := make([]LineQuantity, len(u))
	for i := range u {
		lines[i] = LineQuantity{u[i].sku, u[i].left}
	}
	return lines
}

// shippable is what remains to ship and is in no fulfilment that is being packed.
func (o *Order) shippable() remainingSKUs {
	all := o.left()
	for _, f := range o.Fulfilments {
		if !f.Pending {
			continue
		}
		for _, l := range f.Lines {
			if k, ok := all.find(l.SKU); ok {
				all[k].left -= l.Quantity
				all[k].ready -= l.Quantity
			}
		}
	}
	return slices.DeleteFunc(all, func(u remaining) bool { return u.left <= 0 })
}

func (u remainingSKUs) find(sku string) (int, bool) {
	return slices.BinarySearchFunc(u, sku, func(a remaining, sku string) int { return strings.Compare(a.sku, sku) })
}

// choice says what may be chosen, and the code of a refusal of more than that.
type choice struct {
	over      string
	readyOnly bool
}

// choose removes lines from what remains. It returns them added up by SKU, in the order of first mention.
func (u remainingSKUs) choose(lines []LineQuantity, c choice) ([]LineQuantity, error) {
	if len(lines) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "there are at most 2000 lines")
	}
	chosen := make([]LineQuantity, 0, len(lines))
	place := make(map[string]int, len(lines))
	for i, l := range lines {
		if l.Quantity < 1 || l.Quantity > limits.MaxQuantity*limits.MaxLines {
			return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 1 unit or more")
		}
		k, known := u.find(l.SKU)
		if !known || u[k].left < l.Quantity {
			return nil, refuse(c.over, linePointer(i, "quantity"), "more than what is left of this SKU")
		}
		if c.readyOnly && u[k].ready < l.Quantity {
			return nil, refuse(CodeBackordered, linePointer(i, "quantity"), "part of this SKU waits for stock to come")
		}
		u[k].left -= l.Quantity
		u[k].ready -= l.Quantity
		if at, again := place[l.SKU]; again {
			chosen[at].Quantity += l.Quantity
			continue
		}
		place[l.SKU] = len(chosen)
		chosen = append(chosen, l)
	}
	return chosen, nil
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
