package input

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/problem"
)

// DefaultLocation is where stock is when a command does not say.
const DefaultLocation = "main"

const microsPerUnit = 1_000_000

// Text checks a string that may be empty: its length in characters, and that it has no control characters.
func (b *Body) Text(pointer, s string, length int) string {
	switch {
	case limits.Longer(s, length):
		b.Invalid(pointer, tooLong(length))
	case !printable(s):
		b.Invalid(pointer, "holds control characters")
	}
	return s
}

// Name checks a string that must be there and identifies something.
func (b *Body) Name(pointer, s string, length int) string {
	if s == "" {
		b.Missing(pointer)
		return s
	}
	if padded(s) {
		b.Invalid(pointer, "begins or ends with a space")
		return s
	}
	return b.Text(pointer, s, length)
}

func tooLong(length int) string { return "is longer than " + strconv.Itoa(length) + " characters" }

// ID checks an ID that the server has made: it is ASCII, so that its length is the same in bytes and characters.
func (b *Body) ID(pointer, s string, maxBytes int) string {
	if b.Name(pointer, s, maxBytes); len(s) > maxBytes && !limits.Longer(s, maxBytes) {
		b.Invalid(pointer, "is longer than "+strconv.Itoa(maxBytes)+" bytes")
	}
	return s
}

// Location checks the name of a location. One that is left out is DefaultLocation.
func (b *Body) Location(pointer, s string) string {
	if s == "" {
		return DefaultLocation
	}
	if fault := LocationFault(s); fault != "" {
		b.Fault(problem.InvalidLocation, pointer, fault)
	}
	return s
}

// LocationFault says what is wrong with the name of a location, or "".
func LocationFault(s string) string { return LabelFault(s, limits.MaxLocationLength) }

// LabelFault says what is wrong with a text that may be empty and has no spaces at its ends, or "".
func LabelFault(s string, length int) string {
	switch {
	case padded(s):
		return "begins or ends with a space"
	case limits.Longer(s, length):
		return tooLong(length)
	case !printable(s):
		return "holds control characters"
	}
	return ""
}

// SKUFault says what is wrong with a SKU, or "".
func SKUFault(sku string) string {
	switch {
	case sku == "":
		return "is required"
	case limits.Longer(sku, limits.MaxSKULength):
		return tooLong(limits.MaxSKULength)
	case padded(sku):
		return "begins or ends with a space"
	case strings.ContainsFunc(sku, isC0) || !utf8.ValidString(sku):
		return "holds control characters"
	}
	return ""
}

// NewSKUFault says what is wrong with a SKU that is registered now, or "". It refuses more than SKUFault does: what
// limits.NameFault says, and the names that HTTP clients take out of a path. Items of before may have these, and are
// still served.
func NewSKUFault(sku string) string {
	if sku == "." || sku == ".." {
		return "cannot be part of a path: clients take . and .. out of it"
	}
	if fault := SKUFault(sku); fault != "" {
		return fault
	}
	return limits.NameFault(sku)
}

// KeyFault says what is wrong with an idempotency key, as a sentence, or "".
func KeyFault(key string) string {
	if key == "" || len(key) > limits.MaxKeyBytes {
		return "An idempotency key has 1 to " + strconv.Itoa(limits.MaxKeyBytes) + " characters."
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return "The idempotency key may hold printable ASCII characters only."
		}
	}
	return ""
}

// ActorFault says what is wrong with the name of who asks for a command, or "". People read such a name as the one who
// did it. So it may not hold marks that turn the direction of writing, which make a name look like another.
func ActorFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name):
		return "is not UTF-8, but perhaps Latin-1, which some HTTP clients send"
	case limits.Longer(name, limits.MaxActorLength):
		return tooLong(limits.MaxActorLength)
	case padded(name):
		return "begins or ends with a space"
	case !printable(name) || strings.ContainsFunc(name, turnsWriting):
		return "holds control characters"
	}
	return ""
}

// turnsWriting knows the characters that change the direction of the text after them.
func turnsWriting(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// padded reports whether a text begins or ends with a space of any kind; package order and inventory ask the same.
func padded(s string) bool { return strings.TrimSpace(s) != s }

// printable reports whether a text has no control characters: C0, DEL and C1.
func printable(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

// isC0 knows the control characters of ASCII.
func isC0(r rune) bool { return r < 0x20 || r == 0x7f }

// Quantity checks a quantity of at least one unit.
func (b *Body) Quantity(pointer string, units int64) int64 {
	if !ValidQuantity(units) {
		b.Fault(problem.InvalidQuantity, pointer, "must be from 1 to "+strconv.Itoa(limits.MaxQuantity))
	}
	return units
}

// ValidQuantity reports whether a quantity is at least one unit, and at most limits.MaxQuantity.
func ValidQuantity(units int64) bool { return units >= 1 && units <= limits.MaxQuantity }

// Level checks a quantity that may be 0 but must be there.
func (b *Body) Level(pointer string, units *int64) int64 {
	switch {
	case units == nil:
		b.Missing(pointer)
		return 0
	case *units < 0 || *units > limits.MaxQuantity:
		b.Fault(problem.InvalidQuantity, pointer, "must be from 0 to "+strconv.Itoa(limits.MaxQuantity))
	}
	return *units
}

// Time reads an RFC 3339 time into microseconds since 1970. Its year, as written, is from limits.FirstYear to
// limits.LastYear. It returns false when it has noted a fault.
func (b *Body) Time(pointer, s string) (micros int64, valid bool) {
	t, ok := ParseTime(s)
	switch {
	case !ok:
		b.Invalid(pointer, "must be a time as RFC 3339 has it, like 2011-12-09T12:50:00Z, and no leap second")
	case t.Year() < limits.FirstYear || t.Year() > limits.LastYear:
		b.Invalid(pointer, "must be in the years "+strconv.Itoa(limits.FirstYear)+" to "+strconv.Itoa(limits.LastYear))
	default:
		return t.UnixMicro(), true
	}
	return 0, false
}

// rfc3339 is the form of a time. time.Parse takes more, such as one digit for an hour or a comma before the fraction,
// and no t and z in lower case.
var rfc3339 = regexp.MustCompile(
	`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// ParseTime reads a time as RFC 3339 has it, leap seconds left out.
func ParseTime(s string) (time.Time, bool) {
	if !rfc3339.MatchString(s) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	return t, err == nil
}

// Amount reads a decimal amount of money, such as "2.55", into micro-units. invalid is the code of a fault, but for an
// amount that is empty: that one is missing.
func (b *Body) Amount(pointer, s, invalid string) int64 {
	micros, fault := ParseAmount(s)
	switch {
	case fault == "":
	case s == "":
		b.Missing(pointer)
	default:
		b.Fault(invalid, pointer, fault)
	}
	return micros
}

// ParseAmount does the same where a pointer is made only for a fault; it says what is wrong, or "".
func ParseAmount(s string) (micros int64, fault string) {
	if s == "" {
		return 0, "is required"
	}
	micros, err := money.Parse(s)
	switch {
	case errors.Is(err, money.ErrTooPrecise):
		return 0, "has more than " + strconv.Itoa(money.MaxDecimals) + " decimals"
	case errors.Is(err, money.ErrOverflow), micros > limits.MaxAmount*microsPerUnit:
		return 0, "is more than " + strconv.Itoa(limits.MaxAmount)
	case err != nil:
		return 0, "must be a plain decimal like \"2.55\""
	case micros < 0:
		return 0, "must not be negative"
	}
	return micros, ""
}

// Word reads one of a closed set of words. parse finds its value, and code is that of a word that is not in the set.
func Word[E any](b *Body, pointer, word, code string, all func() []string, parse func(string) (E, bool)) E {
	value, ok := parse(word)
	switch {
	case word == "":
		b.Missing(pointer)
	case !ok:
		b.Fault(code, pointer, "must be one of "+strings.Join(all(), ", "))
	}
	return value
}
