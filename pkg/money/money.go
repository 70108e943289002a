// Package money has exact amounts: int64 micro-units (1e-6) of a currency. It parses and formats decimal strings,
// multiplies and adds with overflow checks, and rounds half to even to a currency's minor unit.
//
// It knows no exchange rates, and uses no floating point.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// MicrosPerUnit is how many micro-units one unit of a currency has.
const MicrosPerUnit = 1_000_000

// MaxDecimals is how many digits a decimal string may have after its point.
const MaxDecimals = 6

// Errors of this package; test with errors.Is.
var (
	// ErrSyntax: the string is not a plain decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrTooPrecise: there are more than MaxDecimals digits after the point.
	ErrTooPrecise = errors.New("more than 6 decimals")
	// ErrOverflow: the amount does not fit into int64 micro-units.
	ErrOverflow = errors.New("amount out of range")
)

// Parse turns a decimal string ("12", "-0.105") into micro-units. It is strict, so that one amount has few spellings:
// an optional '-', digits without needless leading zeros, and a point only with 1 to 6 digits after it. '+', spaces,
// exponents, NaN and negative zero are errors. Errors wrap ErrSyntax, ErrTooPrecise or ErrOverflow.
func Parse(s string) (micros int64, err error) {
	magnitude, negative, err := parseMagnitude(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("parse amount %q: %w", clip(s), err)
	case negative && magnitude == 0:
		return 0, fmt.Errorf("parse amount %q: negative zero: %w", clip(s), ErrSyntax)
	case negative && magnitude <= 1<<63:
		return -int64(magnitude), nil // -(1<<63) wraps to MinInt64, as it should
	case !negative && magnitude <= math.MaxInt64:
		return int64(magnitude), nil
	}
	return 0, fmt.Errorf("parse amount %q: %w", clip(s), ErrOverflow)
}

// parseMagnitude reads the digits as micro-units, without the sign.
func parseMagnitude(s string) (magnitude uint64, negative bool, err error) {
	if s != "" && s[0] == '-' {
		negative, s = true, s[1:]
	}
	whole, fraction := s, ""
	for i := range len(s) {
		if s[i] == '.' {
			whole, fraction = s[:i], s[i+1:]
			if fraction == "" {
				return 0, negative, ErrSyntax
			}
			break
		}
	}
	if whole == "" || !digits(whole) || !digits(fraction) || (len(whole) > 1 && whole[0] == '0') {
		return 0, negative, ErrSyntax
	}
	if len(fraction) > MaxDecimals {
		return 0, negative, ErrTooPrecise
	}
	for i := range len(whole) + MaxDecimals {
		digit := uint64(0)
		if i < len(whole) {
			digit = uint64(whole[i] - '0')
		} else if i-len(whole) < len(fraction) {
			digit = uint64(fraction[i-len(whole)] - '0')
		}
		if magnitude > (math.MaxUint64-digit)/10 {
			return 0, negative, ErrOverflow
		}
		magnitude = magnitude*10 + digit
	}
	return magnitude, negative, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// clip keeps error messages short.
func clip(s string) string {
	const longest = 40
	if len(s) > longest {
		return s[:longest] + "…"
	}
	return s
}

// Format writes micro-units exactly, without needless zeros: 12500000 is "12.5".
func Format(micros int64) string { return format(micros, 0) }

// format writes micro-units exactly, with at least minDecimals digits after the point.
func format(micros int64, minDecimals int) string {
	magnitude := uint64(micros)
	if micros < 0 {
		magnitude = -magnitude
	}
	buf := make([]byte, 0, 28)
	if micros < 0 {
		buf = append(buf, '-')
	}
	buf = strconv.AppendUint(buf, magnitude/MicrosPerUnit, 10)
	fraction := strconv.FormatUint(magnitude%MicrosPerUnit+MicrosPerUnit, 10)[1:]
	decimals := len(fraction)
	for decimals > minDecimals && fraction[decimals-1] == '0' {
		decimals--
	}
	if decimals > 0 {
		buf = append(buf, '.')
		buf = append(buf, fraction[:decimals]...)
	}
	return string(buf)
}

// FormatText formats micro-units that are a decimal text, such as a sum which is too great for an int64, as FormatIn
// does. It fails with ErrSyntax for what is no whole number.
func FormatText(code, micros string) (string, error) {
	if n, err := strconv.ParseInt(micros, 10, 64); err == nil {
		return FormatIn(code, n), nil
	}
	if whole := strings.TrimPrefix(micros, "-"); whole == "" || !digits(whole) || whole[0] == '0' {
		return "", fmt.Errorf("format %q micro-units: %w", clip(micros), ErrSyntax)
	}
	currency, _ := Lookup(code)
	point := len(micros) - MaxDecimals // a number beyond int64 has more digits than that
	fraction := micros[point:]
	for len(fraction) > currency.Decimals && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if fraction == "" {
		return micros[:point], nil
	}
	return micros[:point] + "." + fraction, nil
}

// Add returns a + b, or ErrOverflow.
func Add(a, b int64) (int64, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return sum, nil
}

// Multiply returns amount * factor (a price times a quantity), or ErrOverflow.
func Multiply(amount, factor int64) (int64, error) {
	negative := (amount < 0) != (factor < 0)
	high, low := bits.Mul64(absolute(amount), absolute(factor))
	switch {
	case high != 0:
		return 0, ErrOverflow
	case negative && low <= 1<<63:
		return -int64(low), nil
	case !negative && low <= math.MaxInt64:
		return int64(low), nil
	}
	return 0, ErrOverflow
}

func absolute(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
