package limits

import (
	"strings"
	"unicode"
)

// FoldCase returns one text for all that differ in upper and lower case alone, as strings.EqualFold compares them: each
// character is the smallest of those that it equals. "Main", "MAIN" and "main" are "MAIN".
func FoldCase(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}
