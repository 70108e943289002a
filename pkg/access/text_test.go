package access

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What docs/access.md tells programs that search texts for secrets.
var documented = regexp.MustCompile(`^hf_[A-Za-z0-9][A-Za-z0-9._-]*_[a-z2-7]{12}_[0-9A-Za-z]{49}$`)

// A key has the documented form, its ID is found whatever the environment is named, and no two are the same.
func TestAKeyHasItsForm(t *testing.T) {
	seen := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		env := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}`).Draw(t, "env")
		text, id := newText(env)
		if !documented.MatchString(text) || len(text) > MaxTextLength || !strings.HasPrefix(text, "hf_"+env+"_"+id+"_") {
			t.Fatalf("%s", text)
		}
		if got, ok := idOf(text); !ok || got != id {
			t.Fatalf("the ID of %s is %q", text, got)
		}
		if err := CheckText(text); err != nil {
			t.Fatal(err)
		}
		if seen[text] || seen[id] {
			t.Fatalf("%s was made before", text)
		}
		seen[text], seen[id] = true, true
	})
}

// A typing error is found without the platform, and what is told of it does not have the key.
func TestATypingErrorIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, _ := newText("shop")
		typed := []byte(text)
		i := rapid.IntRange(0, len(typed)-1).Draw(t, "place")
		switch rapid.SampledFrom([]string{"other", "left out", "twice", "swapped"}).Draw(t, "error") {
		case "other":
			typed[i] = rapid.SampledFrom([]byte(base62)).Draw(t, "character")
		case "left out":
			typed = append(typed[:i], typed[i+1:]...)
		case "twice":
			typed = append(typed[:i], text[i:]...)
			typed = append(typed, text[len(text)-1])
		case "swapped":
			j := max(i-1, 0)
			typed[i], typed[j] = typed[j], typed[i]
		}
		if string(typed) == text {
			return
		}
		err := CheckText(string(typed))
		if err == nil {
			t.Fatalf("%s is taken for %s", typed, text)
		}
		if strings.Contains(err.Error(), string(typed)) {
			t.Fatalf("the error has the key: %v", err)
		}
	})
}

// Nothing that is no key makes the parser fail, or read beyond its end.
func FuzzIDOf(f *testing.F) {
	text, _ := newText("a_b")
	f.Add(text)
	f.Add("hf_")
	f.Add(strings.Repeat("_", 100))
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := idOf(text)
		if ok && (len(id) != idLength || len(text) > MaxTextLength || !strings.HasPrefix(text, textPrefix)) {
			t.Errorf("%q is the ID of %q", id, text)
		}
		if err := CheckText(text); err == nil && !ok {
			t.Errorf("%q is a key without an ID", text)
		}
	})
}
