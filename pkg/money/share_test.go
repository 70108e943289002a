package money

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestShare(t *testing.T) {
	for _, c := range []struct{ amount, part, whole, want int64 }{
		{1_000_000, 2, 3, 666_667}, {1_000_000, 1, 3, 333_333}, {5, 1, 2, 2}, {7, 1, 2, 4}, {9, 0, 4, 0}, {9, 4, 4, 9},
		{0, 1, 2, 0}, {1 << 62, 999_999_999, 1_000_000_000, 4_611_686_013_815_701_886},
	} {
		if got := Share(c.amount, c.part, c.whole); got != c.want {
			t.Errorf("%d of %d units of %d: %d, want %d", c.part, c.whole, c.amount, got, c.want)
		}
	}
}

// Shares of what is left add up to the whole, and each is within one of its exact size.
func TestSharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.Int64Range(0, 1<<62).Draw(t, "amount")
		units := rapid.Int64Range(1, 1_000_000_000).Draw(t, "units")
		for units > 0 {
			n := rapid.Int64Range(1, units).Draw(t, "part")
			got := Share(left, n, units)
			exact := new(big.Int).Mul(big.NewInt(left), big.NewInt(n))
			off := exact.Sub(exact, new(big.Int).Mul(big.NewInt(got), big.NewInt(units)))
			if off.Abs(off).Cmp(big.NewInt(units)) >= 0 {
				t.Fatalf("%d of %d of %d is not %d", n, units, left, got)
			}
			left, units = left-got, units-n
		}
		if left != 0 {
			t.Fatalf("%d is left", left)
		}
	})
}

func TestSpread(t *testing.T) {
	const cent = 10_000
	for _, c := range []struct {
		amount int64
		over   []int64
		want   []int64
	}{
		{500 * cent, []int64{1000 * cent, 1000 * cent, 1000 * cent}, []int64{167 * cent, 167 * cent, 166 * cent}},
		{100 * cent, []int64{100 * cent, 200 * cent}, []int64{33 * cent, 67 * cent}},
		{3 * cent, []int64{0, 4 * cent, 0}, []int64{0, 3 * cent, 0}},
		{2 * cent, []int64{cent / 2, 3 * cent}, []int64{0, 2 * cent}},
		{3*cent + cent/2, []int64{cent / 2, 3 * cent}, []int64{cent / 2, 3 * cent}},
		{0, []int64{0, 0}, []int64{0, 0}},
	} {
		if got := Spread(c.amount, c.over, cent); !slices.Equal(got, c.want) {
			t.Errorf("%d over %v: %v, want %v", c.amount, c.over, got, c.want)
		}
	}
}

// Parts add up, none is more than what it is spread over, and none is further than a unit from its exact size where all
// are whole units.
func TestSpreadsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, 100, 1_000, 10_000, 1_000_000}).Draw(t, "unit")
		over := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 20).Draw(t, "over")
		if whole := rapid.Bool().Draw(t, "whole"); whole {
			for i := range over {
				over[i] = over[i] / unit * unit
			}
		}
		var sum, spread int64
		for _, o := range over {
			sum += o
		}
		amount := rapid.Int64Range(0, sum).Draw(t, "amount")
		for i, p := range Spread(amount, over, unit) {
			if p < 0 || p > over[i] {
				t.Fatalf("%d of %d", p, over[i])
			}
			spread += p
		}
		if spread != amount {
			t.Fatalf("%d of %d", spread, amount)
		}
	})
}
