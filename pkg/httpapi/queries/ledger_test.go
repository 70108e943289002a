package queries

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/stockledger"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// momentName tells in which row of a shelf an answer of a moment stands; "" for now.
func momentName(m *asof.Moment) string {
	switch {
	case m.IsNow():
		return ""
	case m.ByPosition():
		return " at " + m.Position.String()
	}
	return fmt.Sprintf(" at %s, occurred %t", time.UnixMicro(m.Micros).UTC().Format(time.RFC3339Nano), m.Occurred)
}

// pastShelf is a shelf of what was.
type pastShelf struct{ *shelf }

func (p pastShelf) Row(sku string, m *asof.Moment) ([]byte, uint64, bool, error) {
	row, ok := p.rows[sku+momentName(m)]
	return []byte(row), 3, ok, p.broken
}

func (p pastShelf) Stock(sku string, m *asof.Moment) ([]byte, uint64, bool, error) {
	return p.Row(sku, m)
}

func (p pastShelf) List(
	_ context.Context, f stockledger.Filter, m *asof.Moment, after string, limit int,
) ([][]byte, string, error) {
	below := "any"
	if f.Below != nil {
		below = fmt.Sprint(*f.Below)
	}
	row := fmt.Appendf(nil, "%q", strings.Join([]string{f.Prefix + f.Text, f.Location, below, momentName(m), after}, "|"))
	return [][]byte{row, fmt.Append(nil, limit)}, "A7", p.broken
}

func (p pastShelf) Each(
	_ context.Context, _ stockledger.Filter, _ *asof.Moment, _ string, row func(*eventv1.AvailabilityRow) error,
) error {
	return row(&eventv1.AvailabilityRow{
		Sku: "=A1", Description: "mug", OccurredAtMicros: 1_700_000_000_000_000,
		Total: &eventv1.Level{OnHand: 7, Available: 1},
		Locations: []*eventv1.LocationLevel{
			{Location: "north", Level: &eventv1.Level{OnHand: 4, Available: 4}},
			{Location: "south", Level: &eventv1.Level{OnHand: 3, Available: -3, Committed: 6}},
		},
	})
}

func (p pastShelf) Changes(
	_ context.Context, span *stockledger.Span, after string, limit int,
) ([]stockledger.Change, string, error) {
	asked := []string{span.SKU, span.Prefix, span.Location, momentName(&span.From), momentName(&span.To), after,
		fmt.Sprint(limit)}
	return []stockledger.Change{{SKU: strings.Join(asked, "|")}}, "A7", p.broken
}

func (p pastShelf) Ledger(
	_ context.Context, sku string, q *stockledger.Question, text func(eventlog.Position) string,
) (stockledger.Page, bool, error) {
	if _, ok := p.rows[sku]; !ok {
		return stockledger.Page{}, false, p.broken
	}
	asked := fmt.Sprint(q.Location, momentName(&q.Moment), " ", q.From, " ", q.Newer, " ", q.Limit)
	at := eventlog.PositionOf(eventlog.Offsets{{Topic: eventlog.TopicInventory, Partition: 2}: 9})
	return stockledger.Page{
		Entries: []stockledger.Entry{{Type: asked, Position: text(at), Details: []byte(`{}`)}}, Older: 5, Newer: 12,
	}, true, p.broken
}

func (p pastShelf) Allocations(_ context.Context, id string, m *asof.Moment) ([]stockledger.ItemAllocation, error) {
	if _, ok := p.rows[id+momentName(m)+" has nothing"]; ok {
		return nil, nil
	}
	return []stockledger.ItemAllocation{{SKU: "A1" + momentName(m), Locations: []stockledger.Allocation{
		{Location: "north", Committed: 2, Backordered: 1},
	}}}, p.broken
}

// Moments reach the views as they are asked for, and what is no moment is refused with what to write instead.
func TestMomentsOfThePast(t *testing.T) {
	reached, err := eventlog.ParsePosition("o3.10~i7.88")
	if err != nil {
		t.Fatal(err)
	}
	lateSince := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	s := newQuerySite(t, &shelf{reached: reached, lateSince: lateSince, rows: map[string]string{
		"A1": `"now"`,
		"A1\x00 at 2026-03-01T10:00:00Z, occurred false":    `"a key, and no SKU"`,
		"A1 at 1970-01-01T00:00:00.000001Z, occurred false": `"first"`,
		"A1 at 2026-03-02T10:00:00Z, occurred false":        `"latest"`,
		"A1 at 2026-03-01T10:00:00Z, occurred false":        `"known"`,
		"A1 at 2026-03-01T10:00:00.5Z, occurred true":       `"happened"`,
		"A1 at i7.80": `"position"`,
		"o-1":         `{"order_id":"o-1"}`,
		"o-1 at 2026-03-01T09:00:00.25Z, occurred true": `"past order"`,
		"o-1 at o3.4": `{"order_id":"o-1","at":"o3.4"}`,
		"o-2":         `{"order_id":"o-2"}`, "o-2 has nothing": "",
		"key-of-o-2": `{"order_id":"o-2"}`,
	}})
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/availability/A1?as_of=2026-03-01T10:00:00Z", 200, `"known"`},
		{"/v1/availability/A1?as_of=2026-03-01T11:00:00+01:00", 200, `"known"`},
		{"/v1/stock/A1?as_of=2026-03-01T11:00:00%2B01:00&clock=recorded", 200, `"known"`},
		{"/v1/stock/A1?as_of=2026-03-01T10:00:00.5Z&clock=occurred", 200, `"happened"`},
		{"/v1/availability/A1?as_of=i7.80", 200, `"position"`},
		{"/v1/availability/A1?as_of=i7.89", 409, `"position_ahead"`},
		{"/v1/availability/A1?as_of=r1a2b3c4d~i7.80", 409, `"log_restored"`},
		{"/v1/availability/A1?as_of=2025-03-01T10:00:00Z", 404, "was registered under this SKU at that moment"},
		{"/v1/availability/A1?as_of=1970-01-01T00:00:00Z", 200, `"first"`},
		{"/v1/availability/A1%00?as_of=2026-03-01T10:00:00Z", 404, "was registered under this SKU at that moment"},
		{"/v1/availability/A1?as_of=2026-03-02T10:00:00Z", 200, `"latest"`},
		{"/v1/availability/A1?as_of=2026-03-02T10:00:02Z", 503, "did not reach the moment within 5s"},
		{"/v1/availability?as_of=2026-03-02T10:00:02Z", 503, "position_not_reached"},
		{"/v1/stock-changes?from=2026-03-01T10:00:00Z&to=2026-03-02T10:00:02Z", 503, "position_not_reached"},
		{"/v1/stock/A1/ledger?as_of=2026-03-02T10:00:02Z", 503, "position_not_reached"},
		{"/v1/orders/o-1?as_of=2026-03-02T10:00:02Z", 503, "position_not_reached"},
		{"/v1/availability/A1?as_of=2026-03-01", 400, "as_of is no moment, which is a time with its zone"},
		{"/v1/availability/A1?as_of=2999-03-01T10:00:00Z", 400, "lies in the future"},
		{"/v1/availability/A1?as_of=", 400, "as_of is empty"},
		{"/v1/availability/A1?clock=occurred", 400, "clock needs as_of"},
		{"/v1/availability/A1?as_of=i7.80&clock=occurred", 400, "needs a time"},
		{"/v1/availability/A1?as_of=i7.80&clock=wall", 400, "recorded or occurred"},
		{"/v1/availability/A1?at=i7.80", 400, "there is no such parameter"},
		{"/v1/orders/o-1", 200, `{"order_id":"o-1"}`},
		{"/v1/orders/o-1?as_of=2026-03-01T09:00:00.25Z&clock=occurred", 200, `"past order"`},
		{"/v1/orders/o-1?as_of=o3.4", 200, `"at":"o3.4"`},
		{"/v1/orders/o-1?as_of=o3.5", 404, "at that moment"},
		{"/v1/orders/O-1/allocations", 200, `{"order_id":"o-1","items":[{"sku":"A1","locations":[{"location":"north",` +
			`"reserved":0,"committed":2,"backordered":1,"shipped":0,"restocked":0,"damaged":0}]}]}`},
		{"/v1/orders/o-1/allocations?as_of=o3.4", 200, `"sku":"A1 at o3.4"`},
		{"/v1/orders/o-1/allocations?as_of=o3.5", 404, "at that moment"},
		{"/v1/orders/o-1/allocations?as_of=i7.89", 409, "position_ahead"},
		{"/v1/orders/o-1/allocations?limit=1", 400, "there is no such parameter"},
		{"/v1/orders/o-2/allocations", 200, `{"order_id":"o-2","items":[]}`},
		{"/v1/orders/key-of-o-2/allocations", 200, `{"order_id":"o-2","items":[]}`},
		{"/v1/orders/o-3/allocations", 404, "order_not_found"},
		{"/v1/availability", 200, `{"items":["||any||",50],"next_cursor":"`},
		{"/v1/availability?prefix=A&location=north&below=5&as_of=i7.80&limit=7", 200, `{"items":["A|north|5| at i7.80|",7]`},
		{"/v1/availability?text=white+heart", 200, `{"items":["white heart||any||",50]`},
		{"/v1/availability?text=" + strings.Repeat("a", 201), 400, "text is longer than 200 characters"},
		{"/v1/availability?below=0", 400, "below must be a whole number from 1"},
		{"/v1/availability?limit=501", 400, "limit must be from 1 to 500"},
		{"/v1/availability?cursor=abc", 400, "invalid_cursor"},
		{"/v1/availability?prefix=" + strings.Repeat("a", 65), 400, "is longer than"},
		{"/v1/stock-changes?from=2026-03-01T10:00:00Z", 200, `"sku":"||| at 2026-03-01T10:00:00Z, occurred false|||50"`},
		{"/v1/stock-changes?from=i7.3&to=i7.80&prefix=A&location=north&limit=2", 200,
			`"sku":"|A|north| at i7.3| at i7.80||2"`},
		{"/v1/stock-changes?sku=A1&from=2026-03-01T10:00:00Z&clock=occurred", 200,
			`"sku":"A1||| at 2026-03-01T10:00:00Z, occurred true`},
		{"/v1/stock-changes", 400, "from is missing"},
		{"/v1/stock-changes?from=yesterday", 400, "from is no moment"},
		{"/v1/stock-changes?from=i7.3&to=i7.89", 409, "position_ahead"},
		{"/v1/stock-changes?from=i7.3&to=r1a2b3c4d~i7.80", 409, "log_restored"},
		{"/v1/stock-changes?from=i7.3&sku=A1&prefix=A", 400, "leave one of them out"},
		{"/v1/stock-changes?from=i7.3&cursor=abc", 400, "invalid_cursor"},
		{"/v1/stock/A1/ledger", 200, `"type":" 0 false 50","position":"i2.9"`},
		{"/v1/stock/A1/ledger?location=north&as_of=i7.80&limit=3", 200, `"type":"north at i7.80 0 false 3"`},
		{"/v1/stock/B/ledger", 404, "No item is registered"},
		{"/v1/stock/A1/ledger?clock=occurred", 400, "clock needs as_of"},
		{"/v1/stock/A1/ledger?cursor=abc", 400, "invalid_cursor"},
		{"/v1/stock/A1/ledger?location=" + strings.Repeat("a", 65), 400, "is longer than"},
		{"/v1/stock/A1/ledger?limit=0", 400, "limit must be from 1 to 500"},
	} {
		a := s.Do(t, http.MethodGet, test.path, "")
		if a.Status != test.status || !strings.Contains(a.Body, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.path, a.Status, a.Body, test.status, test.want)
		}
	}
}

// Cursors of items and ledgers go on where a page ended, in both directions, and belong to their question.
func TestCursorsOfItemsAndLedgers(t *testing.T) {
	reached, err := eventlog.ParsePosition("i7.88")
	if err != nil {
		t.Fatal(err)
	}
	s := newQuerySite(t, &shelf{reached: reached, rows: map[string]string{"A1": `{}`, "A2": `{}`}})
	cursors := func(path string) (next, previous string) {
		t.Helper()
		var page struct {
			Next     string `json:"next_cursor"`
			Previous string `json:"previous_cursor"`
		}
		if r := s.Do(t, http.MethodGet, path, ""); json.Unmarshal([]byte(r.Body), &page) != nil || page.Next == "" {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
		return page.Next, page.Previous
	}
	const at = "as_of=2026-03-01T10:00:00Z"
	items, _ := cursors("/v1/availability?prefix=A&below=3&" + at)
	changes, _ := cursors("/v1/stock-changes?from=i7.1&prefix=A")
	older, newer := cursors("/v1/stock/A1/ledger?location=north")
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/availability?prefix=A&below=3&limit=2&" + at + "&cursor=" + items, 200, "|A7\",2]"},
		{"/v1/availability?prefix=A&below=4&" + at + "&cursor=" + items, 400, "invalid_cursor"},
		{"/v1/availability?prefix=A&below=3&clock=occurred&" + at + "&cursor=" + items, 400, "invalid_cursor"},
		{"/v1/stock-changes?from=i7.1&prefix=A&cursor=" + changes, 200, `|A7|50"`},
		{"/v1/stock-changes?from=i7.2&prefix=A&cursor=" + changes, 400, "invalid_cursor"},
		{"/v1/stock/A1/ledger?location=north&cursor=" + older, 200, `"type":"north 5 false 50"`},
		{"/v1/stock/A1/ledger?location=north&cursor=" + newer, 200, `"type":"north 12 true 50"`},
		{"/v1/stock/A2/ledger?location=north&cursor=" + older, 400, "invalid_cursor"},
		{"/v1/stock/A1/ledger?location=south&cursor=" + older, 400, "invalid_cursor"},
	} {
		a := s.Do(t, http.MethodGet, test.path, "")
		if a.Status != test.status || !strings.Contains(a.Body, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.path, a.Status, a.Body, test.status, test.want)
		}
	}
}

// Items as CSV have a row for each location and one for the item, or the rows of one location.
func TestItemsAsCSV(t *testing.T) {
	s := newQuerySite(t, &shelf{})
	const heading = "sku,description,location,available,on_hand,reserved,committed,safety_stock,damaged,quality_control," +
		"incoming,backordered,occurred_at\n"
	const north = "'=A1,mug,north,4,4,0,0,0,0,0,0,0,2023-11-14T22:13:20Z\n"
	const south = "'=A1,mug,south,0,3,0,6,0,0,0,0,3,2023-11-14T22:13:20Z\n"
	for query, want := range map[string]string{
		"":                heading + north + south + "'=A1,mug,,4,7,0,0,0,0,0,0,3,2023-11-14T22:13:20Z\n",
		"?location=south": heading + south,
	} {
		r := s.Do(t, http.MethodGet, "/v1/availability"+query, "", "Accept: text/csv")
		if r.Status != 200 || r.Body != want ||
			r.Header.Get("Content-Disposition") != `attachment; filename="availability.csv"` {
			t.Errorf("%s: %d %v\n%s\nwant\n%s", query, r.Status, r.Header, r.Body, want)
		}
	}
	if r := s.Do(t, http.MethodGet, "/v1/availability?limit=5", "", "Accept: text/csv"); r.Status != 400 {
		t.Errorf("with a limit: %d %s", r.Status, r.Body)
	}
}
