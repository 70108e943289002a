package limits

import (
	"strings"
	"testing"
	"unicode"
)

// Two texts have one form where strings.EqualFold calls them equal, for every character.
func TestFoldCaseIsEqualFold(t *testing.T) {
	for r := rune(1); r <= unicode.MaxRune; r++ {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if a, b := string(r)+"x", string(other)+"X"; FoldCase(a) != FoldCase(b) || !strings.EqualFold(a, b) {
				t.Fatalf("%q and %q: %q, %q", a, b, FoldCase(a), FoldCase(b))
			}
		}
	}
	if FoldCase("Lager 7, é") != "LAGER 7, É" {
		t.Errorf("%q", FoldCase("Lager 7, é"))
	}
}
