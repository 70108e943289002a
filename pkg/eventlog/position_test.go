package eventlog_test

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

func position(t testing.TB, s string) eventlog.Position {
	t.Helper()
	p, err := eventlog.ParsePosition(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPositionText(t *testing.T) {
	p := eventlog.PositionOf(eventlog.Offsets{
		{Topic: eventlog.TopicInventory, Partition: 7}:    88,
		{Topic: eventlog.TopicOrders, Partition: 3}:       1234,
		{Topic: eventlog.TopicOrders, Partition: 11}:      1,
		{Topic: eventlog.TopicOrders, Partition: 4}:       0, // left out of the text
		{Topic: eventlog.TopicShards, Partition: 3}:       5,
		{Topic: eventlog.TopicAvailability, Partition: 3}: 5,
	})
	const want = "o3.1234~o11.1~i7.88"
	if p.String() != want {
		t.Fatalf("position %s, want %s", p, want)
	}
	if again := position(t, want); !again.Equal(p) {
		t.Errorf("parsed %s", again)
	}
	if again := eventlog.PositionOf(p.Offsets()); !again.Equal(p) {
		t.Errorf("by way of offsets: %s", again)
	}
	if got := p.End(eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: 7}); got != 88 {
		t.Errorf("end %d, want 88", got)
	}
	if got := p.End(eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: 3}); got != 0 {
		t.Errorf("end %d, want 0", got)
	}
}

func TestParsePositionIsStrict(t *testing.T) {
	for _, s := range []string{
		"o", "o3", "o3.", "o.5", ".", "~", "o3.1~", "~o3.1", "o3.1~~o4.1", "x3.1", "3.1", "O3.1", "o3.1 ", " o3.1",
		"o03.1", "o3.01", "o3.0", "o-1.5", "o3.-5", "o+3.5", "o3.+5", "o3.1.2", "o3,1", "o3.1;o4.1", "o3.1_000", "o3.0x1",
		"o4.1~o3.1", "i3.1~o3.1", "o3.1~o3.2", "o3.9223372036854775807", "o3.9223372036854775808",
		"o1024.1", "o99999999999.1",
		"o3.１", // a digit, but not of ASCII
		strings.Repeat("o3.1~", 10_000),
	} {
		if p, err := eventlog.ParsePosition(s); err == nil {
			t.Errorf("%.40q was read as %s", s, p)
		}
	}
	if p, err := eventlog.ParsePosition(""); err != nil || !p.IsZero() {
		t.Errorf("the beginning: %v, %v", p, err)
	}
}

func TestPositionFitsItsLimitAtTheLargestLayout(t *testing.T) {
	offsets := make(eventlog.Offsets)
	for p := range int32(64) {
		offsets[eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p}] = 1 << 60
		offsets[eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p}] = 1 << 60
	}
	if n := len(eventlog.PositionOf(offsets).String()); n > eventlog.MaxPositionBytes {
		t.Errorf("%d bytes", n)
	}
}

func TestPositionMergeAndCovers(t *testing.T) {
	for _, tc := range []struct{ a, b, merged string }{
		{"", "", ""},
		{"", "o1.5", "o1.5"},
		{"o1.5", "", "o1.5"},
		{"o1.5", "o1.7", "o1.7"},
		{"o1.7", "o1.5", "o1.7"},
		{"o1.5~i1.9", "o2.7~i1.8", "o1.5~o2.7~i1.9"},
		{"o3.1", "o1.1~o2.1~i3.2", "o1.1~o2.1~o3.1~i3.2"},
	} {
		a, b := position(t, tc.a), position(t, tc.b)
		merged := a.Merge(b)
		if merged.String() != tc.merged {
			t.Errorf("%q merged with %q is %q, want %q", a, b, merged, tc.merged)
		}
		if !merged.Reaches(a) || !merged.Reaches(b) {
			t.Errorf("%q does not cover %q and %q", merged, a, b)
		}
		if got, want := a.Reaches(b), tc.a == tc.merged; got != want {
			t.Errorf("%q covers %q: %v, want %v", a, b, got, want)
		}
		if a.String() != tc.a || b.String() != tc.b {
			t.Errorf("merging changed %q or %q", tc.a, tc.b)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"", "o3.1234~i7.88", "o0.1", "i1023.9", "o3.1~", "o03.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := eventlog.ParsePosition(s); err == nil && p.String() != s {
			t.Errorf("%q was read as %q", s, p)
		}
	})
}
