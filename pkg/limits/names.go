package limits

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NameFault says why a text cannot name something new, such as a SKU, a location or a reference; "" if it can. Two
// names that look alike must be one name, so these are refused:
//
//   - text that is not UTF-8, and control characters
//   - characters that nobody sees, such as a zero-width space (U+200B) or a byte order mark (U+FEFF), and those that
//     turn the direction of writing: all that Unicode calls Cf or Default_Ignorable_Code_Point
//   - spaces at the ends, and any space but U+0020 in between, such as a non-breaking one (U+00A0)
//   - text that is not in Unicode's Form C (NFC, UAX 15): "é" is one character, U+00E9
//
// Lengths and empty names are for the caller. Names of before may be any of this, and are still found.
func NameFault(s string) string {
	if asciiName(s) {
		return ""
	}
	if !utf8.ValidString(s) {
		return "is not UTF-8"
	}
	position, last := 0, utf8.RuneCountInString(s)
	for _, r := range s {
		position++
		switch {
		case unicode.IsControl(r):
			return fmt.Sprintf("holds control characters: %U is character %d", r, position)
		case unicode.IsSpace(r) && (position == 1 || position == last):
			return "begins or ends with a space"
		case r != ' ' && (unicode.IsSpace(r) || unicode.Is(unicode.Zs, r)):
			return fmt.Sprintf("holds a space other than U+0020: %U is character %d", r, position)
		case invisible(r):
			return fmt.Sprintf("holds a character that nobody sees: %U is character %d", r, position)
		}
	}
	if !norm.NFC.IsNormalString(s) {
		return fmt.Sprintf("is not in Unicode's Form C (NFC): send %q", norm.NFC.String(s))
	}
	return ""
}

// asciiName reports whether a text has printable ASCII alone and no space at its ends, as most names do.
func asciiName(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// invisible knows the characters that are not shown, or only turn the direction of those around them.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
