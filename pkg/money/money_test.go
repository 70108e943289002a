package money

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1_000_000, "12.5": 12_500_000, "0.000001": 1, "-0.105": -105_000, "10.00": 10_000_000, "0.0": 0,
		"9223372036854.775807": math.MaxInt64, "-9223372036854.775808": math.MinInt64,
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]error{
		"": ErrSyntax, "-": ErrSyntax, ".": ErrSyntax, ".5": ErrSyntax, "5.": ErrSyntax, "+1": ErrSyntax, "--1": ErrSyntax,
		"1e3": ErrSyntax, "NaN": ErrSyntax, "Inf": ErrSyntax, "0x10": ErrSyntax, " 1": ErrSyntax, "1 ": ErrSyntax,
		"1,5": ErrSyntax, "1.2.3": ErrSyntax, "1_000": ErrSyntax, "01": ErrSyntax, "00": ErrSyntax, "-00.5": ErrSyntax,
		"-0": ErrSyntax, "-0.00": ErrSyntax, "1.-5": ErrSyntax, "١": ErrSyntax, "1\x00": ErrSyntax,
		"1.0000000": ErrTooPrecise, "0.1234567": ErrTooPrecise,
		"9223372036854.775808": ErrOverflow, "-9223372036854.775809": ErrOverflow, "99999999999999999999": ErrOverflow,
		strings.Repeat("9", 500): ErrOverflow,
	} {
		got, err := Parse(s)
		if !errors.Is(err, want) || got != 0 {
			t.Errorf("Parse(%q) = %d, %v; want %v", s, got, err, want)
		} else if len(err.Error()) > 120 {
			t.Errorf("the error for a long amount has %d bytes", len(err.Error()))
		}
	}
}

func TestFormat(t *testing.T) {
	for micros, want := range map[int64]string{
		0: "0", 1: "0.000001", -105_000: "-0.105", 12_500_000: "12.5", 7_000_000: "7",
		math.MaxInt64: "9223372036854.775807", math.MinInt64: "-9223372036854.775808",
	} {
		if got := Format(micros); got != want {
			t.Errorf("Format(%d) = %q, want %q", micros, got, want)
		}
	}
	eur, _ := Lookup("EUR")
	yen, _ := Lookup("JPY")
	if eur.Format(12_500_000) != "12.50" || eur.Format(-1_005) != "-0.001005" || yen.Format(12_000_000) != "12" {
		t.Errorf("%s, %s, %s", eur.Format(12_500_000), eur.Format(-1_005), yen.Format(12_000_000))
	}
}

func TestFormatIn(t *testing.T) {
	for code, want := range map[string]string{"EUR": "12.50", "JPY": "12.5", "KWD": "12.500", "": "12.5", "DEM": "12.5"} {
		if got := FormatIn(code, 12_500_000); got != want {
			t.Errorf("%q: %s, want %s", code, got, want)
		}
	}
}

func TestCurrencies(t *testing.T) {
	for code, decimals := range map[string]int{"EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3, "CLF": 4} {
		if c, ok := Lookup(code); !ok || c.Decimals != decimals || c.Code != code {
			t.Errorf("%s: %+v, %v", code, c, ok)
		}
	}
	for _, code := range []string{"", "eur", "EURO", "XAU", "XXX", "DEM"} {
		if _, ok := Lookup(code); ok {
			t.Errorf("%q is a currency", code)
		}
	}
	for code, decimals := range decimalsByCode {
		if len(code) != 3 || strings.ToUpper(code) != code || decimals > MaxDecimals {
			t.Errorf("%q has %d decimals", code, decimals)
		}
	}
}

func TestRoundHalfToEven(t *testing.T) {
	for _, c := range []struct {
		code         string
		micros, want int64
	}{
		{"EUR", 12_345_000, 12_340_000}, {"EUR", 12_355_000, 12_360_000}, {"EUR", 12_345_001, 12_350_000},
		{"EUR", 12_344_999, 12_340_000}, {"EUR", -12_345_000, -12_340_000}, {"EUR", -12_355_000, -12_360_000},
		{"EUR", 5_000, 0}, {"EUR", 15_000, 20_000}, {"EUR", -5_000, 0}, {"EUR", 0, 0},
		{"JPY", 500_000, 0}, {"JPY", 1_500_000, 2_000_000}, {"JPY", 2_500_001, 3_000_000}, {"KWD", 1_500, 2_000},
	} {
		currency, _ := Lookup(c.code)
		if got, err := currency.Round(c.micros); err != nil || got != c.want {
			t.Errorf("%s: Round(%d) = %d, %v; want %d", c.code, c.micros, got, err, c.want)
		}
	}
	yen, _ := Lookup("JPY")
	for _, micros := range []int64{math.MaxInt64, math.MinInt64} {
		if got, err := yen.Round(micros); !errors.Is(err, ErrOverflow) {
			t.Errorf("Round(%d) = %d, %v", micros, got, err)
		}
	}
}

func interesting() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2_000_000, 2_000_000),
		rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}))
}

func TestFormatAndParseAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := interesting().Draw(t, "micros")
		if got, err := Parse(Format(micros)); err != nil || got != micros {
			t.Fatalf("Parse(%q) = %d, %v", Format(micros), got, err)
		}
	})
}

func TestArithmeticIsThatOfBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := interesting().Draw(t, "a"), interesting().Draw(t, "b")
		check := func(what string, got int64, err error, want *big.Int) {
			switch {
			case want.IsInt64() && (err != nil || got != want.Int64()):
				t.Fatalf("%s: %d, %v; want %s", what, got, err, want)
			case !want.IsInt64() && !errors.Is(err, ErrOverflow):
				t.Fatalf("%s: %d, %v; want an overflow", what, got, err)
			}
		}
		sum, err := Add(a, b)
		check("add", sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		product, err := Multiply(a, b)
		check("multiply", product, err, new(big.Int).Mul(big.NewInt(a), big.NewInt(b)))
	})
}

func TestRoundIsNearestAndEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := Currency{"XTS", rapid.IntRange(0, MaxDecimals).Draw(t, "decimals")}
		unit := int64(1)
		for range MaxDecimals - currency.Decimals {
			unit *= 10
		}
		micros := rapid.Int64Range(-1<<60, 1<<60).Draw(t, "micros")
		if rapid.Bool().Draw(t, "half") {
			micros = micros/unit*unit + unit/2
		}
		got, err := currency.Round(micros)
		distance := got - micros
		if distance < 0 {
			distance = -distance
		}
		if err != nil || got%unit != 0 || distance*2 > unit {
			t.Fatalf("Round(%d) to %d = %d, %v", micros, unit, got, err)
		}
		if distance*2 == unit && got/unit%2 != 0 {
			t.Fatalf("Round(%d) to %d = %d is odd", micros, unit, got)
		}
	})
}

// An amount that parses has one spelling, apart from zeros at its end.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "0", "-1.5", "12.340", "9223372036854.775807", "-9223372036854.775808", "1e9", "NaN",
		"00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		micros, err := Parse(s)
		if err != nil {
			return
		}
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if got := Format(micros); got != s {
			t.Fatalf("Parse(%q) = %d, which formats as %q", s, micros, got)
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(big.NewRat(micros, MicrosPerUnit)) != 0 {
			t.Fatalf("Parse(%q) = %d", s, micros)
		}
	})
}

func TestFormatTextOfSums(t *testing.T) {
	for _, c := range []struct{ code, micros, want string }{
		{"EUR", "12500000", "12.50"}, {"EUR", "-1", "-0.000001"}, {"XXX", "0", "0"},
		{"EUR", "9223372036854775807", "9223372036854.775807"}, {"EUR", "9223372036854775808", "9223372036854.775808"},
		{"EUR", "18446744073700000000", "18446744073700.00"}, {"JPY", "-18446744073700000000", "-18446744073700"},
		{"JPY", "18446744073700100000", "18446744073700.1"},
	} {
		if got, err := FormatText(c.code, c.micros); err != nil || got != c.want {
			t.Errorf("%s %s is %q, %v, want %q", c.code, c.micros, got, err, c.want)
		}
	}
	for _, text := range []string{"", "-", "1.5", "one", "--18446744073700000000", "018446744073700000000"} {
		if got, err := FormatText("EUR", text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

func TestTheMoneyOfATable(t *testing.T) {
	table := &Table{Columns: []string{"sku", "currency", "sold", "lines", "owed"}, Currency: 1, Amounts: []int{2, 4}}
	for _, c := range []struct{ row, want string }{
		{"A|EUR|1500000|3|-10000000000000000000", "A|EUR|1.50|3|-10000000000000.00"},
		{"B|JPY|7000000|1|", "B|JPY|7|1|"}, // the sum of nothing has no value
	} {
		row := strings.Split(c.row, "|")
		if err := table.Format(row); err != nil || strings.Join(row, "|") != c.want {
			t.Errorf("%s is %v, %v; want %s", c.row, row, err, c.want)
		}
	}
	err := table.Format([]string{"A", "EUR", "1", "1", "1.5"})
	if err == nil || err.Error() != "owed is 1.5, and no whole number of millionths" {
		t.Errorf("an average: %v", err)
	}
}
