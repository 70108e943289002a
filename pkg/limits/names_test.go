package limits

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesThatLookAlikeAreOne(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "",
		"85123A":             "",
		"Lager Süd 2":        "",
		"日本語 の 倉庫":           "",
		"A\u200bB":           "U+200B is character 2", // zero-width space
		"\ufeffA":            "U+FEFF is character 1", // byte order mark
		"A\u00adB":           "U+00AD is character 2", // soft hyphen
		"A\u202eB":           "U+202E is character 2", // right-to-left override
		"A\u2066B":           "U+2066 is character 2", // left-to-right isolate
		"A\u200dB":           "U+200D is character 2", // zero-width joiner
		"A\ufe0f":            "U+FE0F is character 2", // variation selector
		"A\u034fB":           "U+034F is character 2", // combining grapheme joiner
		"A\u3164B":           "U+3164 is character 2", // Hangul filler
		"A\u00a0B":           "a space other than U+0020: U+00A0",
		"A\u2009B":           "a space other than U+0020: U+2009",
		"A\u3000B":           "a space other than U+0020: U+3000",
		"A\u2028B":           "a space other than U+0020: U+2028",
		" A":                 "begins or ends with a space",
		"A ":                 "begins or ends with a space",
		"A\u00a0":            "begins or ends with a space",
		"A\tB":               "control characters: U+0009",
		"A\u0085B":           "control characters: U+0085",
		"A\xff":              "is not UTF-8",
		"Caf\u0065\u0301":    "Form C (NFC): send \"Café\"",
		"\u212bngstr\u00f6m": "send \"Ångström\"", // the sign Å, which is the letter in Form C
	} {
		if got := NameFault(name); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// What is sent as the refusal says is taken.
func TestANameInFormCIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		_, quoted, refused := strings.Cut(NameFault(s), "Form C (NFC): send ")
		if !refused {
			return
		}
		if remedy, err := strconv.Unquote(quoted); err != nil || NameFault(remedy) != "" {
			t.Fatalf("%q: %q is refused too: %q", s, remedy, NameFault(remedy))
		}
	})
}
