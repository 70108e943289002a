package order

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

// entries are n entries with a value each.
func entries(n int, value string) Metadata {
	var m Metadata
	for i := range n {
		m = append(m, MetadataEntry{fmt.Sprintf("k%02d", i), value})
	}
	return m
}

func TestORD68Metadata(t *testing.T) {
	place := func(m Metadata) Place {
		c := twoSKUs(Prepaid)
		c.Metadata = m
		return c
	}
	longest := Metadata{{
		strings.Repeat("k", limits.MaxMetadataKeyBytes), strings.Repeat("\u00e4", limits.MaxMetadataValueLength),
	}}
	const key = len("k00")
	for name, sound := range map[string]Metadata{
		"none": nil, "the longest entry": longest, "the most entries": entries(limits.MaxMetadataEntries, "v"),
		"the most bytes": entries(32, strings.Repeat("v", limits.MaxMetadataBytes/32-key)),
		"all characters": {{"-", "x"}, {".", "x"}, {"09", "x"}, {"AZ", "x"}, {"_", "x"}, {"az", " x = \u201cy\u201d "}},
	} {
		if events, err := Decide(Order{}, place(sound)); err != nil || len(events[0].(OrderPlaced).Metadata) != len(sound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for pointer, bad := range map[string][]Metadata{
		"/metadata": {
			entries(limits.MaxMetadataEntries+1, "v"), {{"", "v"}}, {{"a b", "v"}}, {{"a[b]", "v"}}, {{"\u00e4", "v"}},
			{{strings.Repeat("k", limits.MaxMetadataKeyBytes+1), "v"}}, {{"a", "v"}, {"a", "w"}}, {{"b", "v"}, {"a", "w"}},
			append(entries(32, strings.Repeat("v", limits.MaxMetadataBytes/32-key)), MetadataEntry{"l", "v"}),
		},
		"/metadata/a": {
			{{"a", ""}}, {{"a", strings.Repeat("v", limits.MaxMetadataValueLength+1)}}, {{"a", "x\x00"}}, {{"a", "\xff"}},
			{{"a", "x\u0085"}},
		},
	} {
		for _, m := range bad {
			s := given(t).when(place(m)).refused(CodeInvalidMetadata)
			if p := s.err.(*Error).Pointer; p != pointer {
				t.Errorf("%.80q: pointer %s, want %s", m, p, pointer)
			}
		}
	}
}

func TestNewMetadataIsSorted(t *testing.T) {
	if NewMetadata(map[string]string{}) != nil {
		t.Error("an empty map has metadata")
	}
	m := NewMetadata(map[string]string{"b": "2", "B": "1", "a": "3"})
	if want := "[{B 1} {a 3} {b 2}]"; fmt.Sprint(m) != want {
		t.Errorf("%v, want %s", m, want)
	}
}
