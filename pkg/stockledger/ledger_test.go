package stockledger

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// drawn is a store with a history that a test draws.
func drawn(t *rapid.T) (*Store, *history) {
	s := newStore(t)
	h := &history{levels: map[string]map[string]*eventv1.Level{}}
	for _, sku := range skus {
		h.levels[sku] = map[string]*eventv1.Level{}
	}
	now := int64(1_000 * lateMicros)
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		h.draw(t, &now)
	}
	h.fold(t, s, rapid.IntRange(1, 20).Draw(t, "batch"))
	return s, h
}

// The pages of a ledger have each event that counts once, in its order, whichever way they are read and however long a
// page is, and the deltas of all events make the levels.
func TestALedgerHasEveryEventOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, h := drawn(t)
		defer s.Close()
		q := Question{Limit: rapid.IntRange(1, 7).Draw(t, "page")}
		if rapid.Bool().Draw(t, "of the past") {
			q.Moment = *h.moment(t)
		}
		q.Location = rapid.SampledFrom([]string{"", "north"}).Draw(t, "location")
		sku := rapid.SampledFrom(skus).Draw(t, "sku")
		pages, back := read(t, s, sku, q)
		if h.naive(sku, &q.Moment) == nil {
			if len(pages) > 0 {
				t.Fatalf("an item that was not registered has entries: %v", pages)
			}
			return
		}
		if want := h.counted(sku, &q); !slices.Equal(pages, want) {
			t.Fatalf("%+v: entries %v, want %v", q, pages, want)
		}
		if newest := s.newest(t, sku, q); newest.Version > 0 && q.Location == "" && !q.Moment.Occurred {
			if answered := answered(t, s, sku, &q.Moment); newest.Total != answered {
				t.Fatalf("%+v: version %d leaves %+v, and the item has %+v", q, newest.Version, newest.Total, answered)
			}
		}
		if !slices.Equal(back, pages) {
			t.Fatalf("%+v: read backwards %v, forwards %v", q, back, pages)
		}
	})
}

// newest is the newest entry of a ledger.
func (s *Store) newest(t *rapid.T, sku string, q Question) (newest Entry) {
	page, _, err := s.Ledger(t.Context(), sku, &q, eventlog.Position.String)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) > 0 {
		newest = page.Entries[0]
	}
	return newest
}

// answered is what there is of an item at a moment by the answer for it; nothing where it was not registered.
func answered(t *rapid.T, s *Store, sku string, m *asof.Moment) (level Level) {
	body, _, ok, err := s.Row(sku, m)
	if err == nil && ok {
		err = json.Unmarshal(body, &level)
	}
	if err != nil {
		t.Fatal(err)
	}
	return level
}

// read reads all pages to the oldest entry, and from there back to the newest. The versions are those of the entries,
// the newest first.
func read(t *rapid.T, s *Store, sku string, q Question) (versions, back []uint64) {
	ask := func() Page {
		page, _, err := s.Ledger(t.Context(), sku, &q, eventlog.Position.String)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > q.Limit {
			t.Fatalf("a page has %d entries, more than %d", len(page.Entries), q.Limit)
		}
		return page
	}
	levels := map[string]Level{}
	var last []uint64
	newer := int64(0)
	for {
		page := ask()
		last = nil
		for _, e := range page.Entries {
			versions, last = append(versions, e.Version), append(last, e.Version)
			for _, l := range e.Locations { // the newest first: each level less its delta is the one before
				if after, ok := levels[l.Location]; ok && q.Location == "" && q.Moment.IsNow() && after != l.Level {
					t.Fatalf("version %d leaves %v at %s, and the next event finds %v", e.Version, l.Level, l.Location, after)
				}
				levels[l.Location] = minus(l.Level, l.Delta)
			}
		}
		newer = page.Newer
		if page.Older == 0 {
			break
		}
		q.From = page.Older
	}
	back = slices.Clone(last)
	for q.Newer = true; newer > 0; {
		q.From = newer
		page := ask()
		var more []uint64
		for _, e := range page.Entries {
			more = append(more, e.Version)
		}
		if q.Location == "" && !q.Moment.Occurred && len(more) == 0 {
			t.Fatalf("%+v: a page of newer entries is empty", q)
		}
		back, newer = append(more, back...), page.Newer
	}
	return versions, back
}

func minus(l Level, d Delta) Level {
	return Level{
		l.Available - d.Available, l.Backordered - d.Backordered, l.OnHand - d.OnHand,
		l.Reserved - d.Reserved, l.Committed - d.Committed,
		l.SafetyStock - d.SafetyStock, l.Damaged - d.Damaged, l.QualityControl - d.QualityControl, l.Incoming - d.Incoming,
	}
}

// counted are the versions of the events that a ledger must have, the newest first.
func (h *history) counted(sku string, q *Question) (versions []uint64) {
	var recorded int64
	for i, ev := range h.events {
		if ev.Sku != sku {
			continue
		}
		recorded = max(recorded, ev.Meta.RecordedAtMicros)
		at := asof.Event{
			TopicPartition: partition, Offset: h.offsets[i], RecordedMicros: recorded,
			OccurredMicros: ev.Meta.OccurredAtMicros,
		}
		if q.Moment.Has(&at) && (q.Location == "" || touches(&event{InventoryEvent: ev}, q.Location)) {
			versions = append(versions, ev.Meta.Version)
		}
	}
	slices.Reverse(versions)
	return versions
}

// Lists have each item of the filter once, as it was, however long a page is. What differs between two moments is what
// the rows of both say.
func TestListsAndChangesAreThoseOfTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, h := drawn(t)
		defer s.Close()
		from, to := h.moment(t), h.moment(t)
		f := Filter{
			Prefix:   rapid.SampledFrom([]string{"", "A", "A1"}).Draw(t, "prefix"),
			Location: rapid.SampledFrom([]string{"", "south"}).Draw(t, "location"),
		}
		if to.Occurred { // whether an event of a location without stock counts is not told
			f.Location = ""
		}
		if rapid.Bool().Draw(t, "below?") {
			below := rapid.Int64Range(1, 60).Draw(t, "below")
			f.Below = &below
		}
		limit := rapid.IntRange(1, 3).Draw(t, "page")
		var listed, want []string
		for after, more := "", true; more; more = after != "" {
			rows, next, err := s.List(t.Context(), f, to, after, limit)
			if err != nil || len(rows) > limit || next != "" && len(rows) < limit {
				t.Fatalf("%d rows, next %q: %v", len(rows), next, err)
			}
			for _, row := range rows {
				listed = append(listed, string(row))
			}
			after = next
		}
		span := &Span{Filter: f, From: *from, To: *to}
		span.Below = nil
		differs := map[string]bool{}
		for _, sku := range skus {
			if !strings.HasPrefix(sku, f.Prefix) {
				continue
			}
			differs[sku] = h.differs(sku, span)
			if row := h.naive(sku, to); row != nil && f.selects(row) {
				body, _, _, err := s.Row(sku, to)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, string(body))
			}
		}
		if !slices.Equal(listed, want) {
			t.Fatalf("%+v at %+v: listed %v, want %v", f, to, listed, want)
		}
		for after, more := "", true; more; more = after != "" {
			changes, next, err := s.Changes(t.Context(), span, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				if !differs[c.SKU] || minus(c.To, c.Delta) != c.From {
					t.Fatalf("%+v is no change of %+v", c, span)
				}
				if answered := answered(t, s, c.SKU, to); c.To != answered {
					t.Fatalf("%s has %+v in changes, and %+v where it is looked up", c.SKU, c.To, answered)
				}
				delete(differs, c.SKU)
			}
			after = next
		}
		for sku, yes := range differs {
			if yes {
				t.Fatalf("%s differs, and Changes of %+v does not say so", sku, span)
			}
		}
	})
}

// differs reports whether a quantity of an item differs between two moments, at the location that is asked about.
func (h *history) differs(sku string, span *Span) bool {
	from, to := h.naive(sku, &span.From), h.naive(sku, &span.To)
	for _, location := range []string{"north", "south"} {
		if (span.Location == "" || span.Location == location) &&
			quantities(levelIn(from, location)) != quantities(levelIn(to, location)) {
			return true
		}
	}
	return false
}
