package money

import (
	"cmp"
	"math/bits"
	"slices"
)

// Share is the part of an amount that falls to a part of a whole, half to even: 2 of 3 units of 1.00 have 0.666667.
// Shares that are taken one after the other, each from what is left, add up to the amount. Part is from 0 to whole,
// and the amount is not negative.
func Share(amount, part, whole int64) int64 {
	if amount == 0 || part >= whole {
		return amount
	}
	high, low := bits.Mul64(uint64(amount), uint64(part))
	share, rest := bits.Div64(high, low, uint64(whole))
	if twice := 2 * rest; twice > uint64(whole) || twice == uint64(whole) && share%2 == 1 {
		share++
	}
	return int64(share)
}

// Spread spreads an amount over others in proportion to them, in multiples of a unit, by the method of the largest
// remainder: each gets its share rounded down, and what is left goes, a unit each, to those that were cut most, the
// first ones first. So the parts add up to the amount. None gets more than it has: what does not fit in whole units,
// because some have less than one, goes to the first that have room. The amount is at most the sum of the others.
func Spread(amount int64, over []int64, unit int64) []int64 {
	parts := make([]int64, len(over))
	var sum int64
	for _, o := range over {
		sum += o
	}
	if sum == 0 {
		return parts
	}
	type remainder struct {
		at   int
		size uint64
	}
	left, cut := amount, make([]remainder, len(over))
	for i, o := range over {
		high, low := bits.Mul64(uint64(amount), uint64(o))
		exact, rest := bits.Div64(high, low, uint64(sum))
		whole := int64(exact) / unit * unit
		parts[i], left = whole, left-whole
		cut[i] = remainder{i, (exact-uint64(whole))<<1 | min(rest, 1)}
	}
	slices.SortStableFunc(cut, func(a, b remainder) int { return cmp.Compare(b.size, a.size) })
	give := func(at int, n int64) {
		parts[at] += n
		left -= n
	}
	for _, c := range cut {
		if left >= unit && over[c.at]-parts[c.at] >= unit {
			give(c.at, unit)
		}
	}
	for i, o := range over {
		give(i, min(left, o-parts[i]))
	}
	return parts
}
