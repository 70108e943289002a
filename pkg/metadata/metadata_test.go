package metadata

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

// entries are n entries with a value each.
func entries(n int, value string) Map {
	var m Map
	for i := range n {
		m = append(m, Entry{fmt.Sprintf("k%02d", i), value})
	}
	return m
}

func TestMetadataHasLimits(t *testing.T) {
	longest := Map{{
		strings.Repeat("k", limits.MaxMetadataKeyBytes), strings.Repeat("\u00e4", limits.MaxMetadataValueLength),
	}}
	const key = len("k00")
	for name, sound := range map[string]Map{
		"none": nil, "the longest entry": longest, "the most entries": entries(limits.MaxMetadataEntries, "v"),
		"the most bytes": entries(32, strings.Repeat("v", limits.MaxMetadataBytes/32-key)),
		"all characters": {{"-", "x"}, {".", "x"}, {"09", "x"}, {"AZ", "x"}, {"_", "x"}, {"az", " x = \u201cy\u201d "}},
	} {
		if at, fault := sound.Fault("/metadata"); at != "" || fault != "" {
			t.Errorf("%s: %s %s", name, at, fault)
		}
	}
	for pointer, bad := range map[string][]Map{
		"/metadata": {
			entries(limits.MaxMetadataEntries+1, "v"), {{"", "v"}}, {{"a b", "v"}}, {{"a[b]", "v"}}, {{"\u00e4", "v"}},
			{{strings.Repeat("k", limits.MaxMetadataKeyBytes+1), "v"}}, {{"a", "v"}, {"a", "w"}}, {{"b", "v"}, {"a", "w"}},
			append(entries(32, strings.Repeat("v", limits.MaxMetadataBytes/32-key)), Entry{"l", "v"}),
		},
		"/metadata/a": {
			{{"a", ""}}, {{"a", strings.Repeat("v", limits.MaxMetadataValueLength+1)}}, {{"a", "x\x00"}}, {{"a", "\xff"}},
			{{"a", "x\u0085"}},
		},
	} {
		for _, m := range bad {
			if at, fault := m.Fault("/metadata"); at != pointer || fault == "" {
				t.Errorf("%.80q: %s %s, want %s", m, at, fault, pointer)
			}
		}
	}
}

func TestMetadataIsSorted(t *testing.T) {
	if Of(map[string]string{}) != nil {
		t.Error("an empty map has metadata")
	}
	m := Of(map[string]string{"b": "2", "B": "1", "a": "3"})
	if want := "[{B 1} {a 3} {b 2}]"; fmt.Sprint(m) != want {
		t.Errorf("%v, want %s", m, want)
	}
}
