package queries

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/stockledger"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

type ledgerAPI struct {
	store   LedgerStore
	of      eventlog.Incarnation
	streams csvStreams
}

// orNow answers for a moment with what look returns, and for now as another handler does.
func (l *ledgerAPI) orNow(
	look func(sku string, m *asof.Moment) ([]byte, uint64, bool, error), now echo.HandlerFunc,
) echo.HandlerFunc {
	return func(c echo.Context) error {
		m, err := momentOf(c)
		if err != nil {
			return err
		}
		if m.IsNow() {
			return now(c)
		}
		sku := httpapi.PathParameter(c, "sku")
		if input.SKUFault(sku) != "" { // keys of the ledger have only SKUs as they can be
			return notRegistered(&m)
		}
		if err := freshAt(c, l.store, l.of, &m); err != nil {
			return err
		}
		body, version, ok, err := look(sku, &m)
		switch {
		case err != nil:
			return fmt.Errorf("read the stock ledger: %w", err)
		case !ok:
			return notRegistered(&m)
		case m.Occurred: // what is recorded later may still change it
			return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, body)
		}
		return writeVersioned(c, body, version)
	}
}

func notRegistered(m *asof.Moment) error {
	if m.IsNow() {
		return problem.New(problem.UnknownSKU, "No item is registered under this SKU.")
	}
	return problem.New(problem.UnknownSKU, "No item was registered under this SKU at that moment.")
}

// itemsQuery is the filter, the moment and the place of a list of items.
type itemsQuery struct {
	stockledger.Filter
	moment asof.Moment
	after  string
	limit  int
}

func (l *ledgerAPI) list(c echo.Context) error {
	c.Response().Header()["Vary"] = []string{"Accept"}
	format, err := chooseFormat(c.Request().Header)
	whole := err == nil && format.isCSV // anything else gets JSON, as orders do
	q, err := parseItemsQuery(c.QueryParams(), whole)
	if err != nil {
		return err
	}
	if whole {
		return l.listCSV(c, &q)
	}
	if err := freshList(c, l.store, l.of, &q.moment); err != nil {
		return err
	}
	rows, next, err := l.store.List(c.Request().Context(), q.Filter, &q.moment, q.after, q.limit)
	if err != nil {
		return fmt.Errorf("list items: %w", err)
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = appendjson.Array(append(buf.B, `{"items":`...), rows, func(b, row []byte) []byte { return append(b, row...) })
	if next != "" {
		buf.B = appendjson.Member(buf.B, "next_cursor", l.of.Cursor(q.cursor(next)))
	}
	buf.B = append(buf.B, '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

func parseItemsQuery(parameters url.Values, whole bool) (q itemsQuery, err error) {
	known := []string{"prefix", "text", "location", "below", asOfParameter, clockParameter, "limit", "cursor"}
	if err := onlyParameters(parameters, known...); err != nil {
		return q, err
	}
	if q.moment, err = parseMoment(parameters); err != nil {
		return q, err
	}
	if q.Prefix, q.Location, err = prefixAndLocation(parameters); err != nil {
		return q, err
	}
	if q.Text = parameters.Get("text"); limits.Longer(q.Text, limits.MaxSearchLength) {
		return q, badParameter(fmt.Sprintf("text is longer than %d characters.", limits.MaxSearchLength))
	}
	if parameters.Has("below") {
		below, err := strconv.ParseInt(parameters.Get("below"), 10, 64)
		if err != nil || below < 1 {
			return q, badParameter("below must be a whole number from 1: below=1 are the items of which nothing can be sold.")
		}
		q.Below = &below
	}
	if whole {
		var faults []problem.FieldError
		refusePaging(parameters.Has, func(name, detail string) {
			faults = append(faults, problem.FieldError{Pointer: "/" + name, Detail: detail})
		})
		return q, faultsOf(faults)
	}
	if q.limit, err = parseLimit(parameters); err != nil {
		return q, err
	}
	return q, q.resume(parameters.Get("cursor"))
}

// prefixAndLocation reads which items are asked for.
func prefixAndLocation(parameters url.Values) (prefix, location string, err error) {
	prefix, location = parameters.Get("prefix"), parameters.Get("location")
	if limits.Longer(prefix, limits.MaxSKULength) || limits.Longer(location, limits.MaxLocationLength) {
		err = badParameter("prefix or location is longer than a SKU or a location can be.")
	}
	return prefix, location, err
}

// parseLimit reads how many entries a page has at most.
func parseLimit(parameters url.Values) (int, error) {
	if !parameters.Has("limit") {
		return DefaultPage, nil
	}
	limit, err := strconv.Atoi(parameters.Get("limit"))
	if err != nil || limit < 1 || limit > MaxPage {
		return 0, badParameter("limit must be from 1 to " + strconv.Itoa(MaxPage) + ".")
	}
	return limit, nil
}

// tiedCursor makes a place opaque and ties it to a question. The check is against mistakes, not attackers.
func tiedCursor(place string, question ...any) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "1 %q %q", question, place)
	return base64.RawURLEncoding.EncodeToString(append(h.Sum(nil), place...))
}

// placeOf is the place in a cursor of a question; "" without a cursor.
func placeOf(cursor string, question ...any) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || tiedCursor(string(raw[4:]), question...) != cursor {
		return "", problem.New(problem.InvalidCursor, "Send the cursor as you got it, with the same filter.")
	}
	return string(raw[4:]), nil
}

func (q *itemsQuery) question() []any {
	below := int64(0)
	if q.Below != nil {
		below = *q.Below
	}
	return []any{q.Prefix, q.Text, q.Location, strconv.FormatInt(below, 10), momentText(&q.moment)}
}

// momentText tells moments apart.
func momentText(m *asof.Moment) string {
	return strconv.FormatInt(m.Micros, 10) + strconv.FormatBool(m.Occurred) + m.Position.String()
}

func (q *itemsQuery) cursor(next string) string { return tiedCursor(next, q.question()...) }

func (q *itemsQuery) resume(cursor string) (err error) {
	q.after, err = placeOf(cursor, q.question()...)
	return err
}

// itemColumns are the columns of items as CSV: a row for each location, and one without a location for the item.
var itemColumns = []string{
	"sku", "description", "location", "available", "on_hand", "reserved", "committed", "safety_stock", "damaged",
	"quality_control", "incoming", "backordered", "occurred_at",
}

func (l *ledgerAPI) listCSV(c echo.Context, q *itemsQuery) error {
	stream, err := l.streams.open(c, "availability")
	if err != nil {
		return err
	}
	defer stream.close()
	if err := freshList(c, l.store, l.of, &q.moment); err != nil {
		return err
	}
	stream.age = -1 // fresh has said it
	ctx, cancel := context.WithTimeout(c.Request().Context(), CSVTimeout)
	defer cancel()
	return stream.answer(func() error {
		if err := stream.Begin(itemColumns); err != nil {
			return err
		}
		return l.store.Each(ctx, q.Filter, &q.moment, "", func(row *eventv1.AvailabilityRow) error {
			for _, values := range itemRows(row, q.Location) {
				if err := stream.Row(values); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// itemRows are the rows of an item as CSV: of one location, or of all of them and the item as a whole.
func itemRows(row *eventv1.AvailabilityRow, location string) (rows [][]string) {
	at := time.UnixMicro(row.OccurredAtMicros).UTC().Format(time.RFC3339Nano)
	add := func(location string, l *eventv1.Level, available, backordered int64) {
		values := []string{row.Sku, row.Description, location}
		for _, n := range []int64{available, l.GetOnHand(), l.GetReserved(), l.GetCommitted(), l.GetSafetyStock(),
			l.GetDamaged(), l.GetQualityControl(), l.GetIncoming(), backordered} {
			values = append(values, strconv.FormatInt(n, 10))
		}
		rows = append(rows, append(values, at))
	}
	var available, backordered int64
	for _, l := range row.Locations {
		a := l.Level.GetAvailable()
		available, backordered = available+max(0, a), backordered+max(0, -a)
		if location == "" || l.Location == location {
			add(l.Location, l.Level, max(0, a), max(0, -a))
		}
	}
	if location == "" {
		add("", row.Total, available, backordered)
	}
	return rows
}

// The directions of a page of a ledger, in its cursor.
const (
	olderPage = "o"
	newerPage = "n"
)

func (l *ledgerAPI) ledger(c echo.Context) error {
	sku := httpapi.PathParameter(c, "sku")
	q, err := parseLedgerQuestion(sku, c.QueryParams())
	if err != nil {
		return err
	}
	if err := freshList(c, l.store, l.of, &q.Moment); err != nil {
		return err
	}
	page, ok, err := l.store.Ledger(c.Request().Context(), sku, &q, l.of.Text)
	if err != nil {
		return fmt.Errorf("read the stock ledger: %w", err)
	}
	if !ok {
		return notRegistered(&q.Moment)
	}
	answer := struct {
		SKU      string              `json:"sku"`
		Entries  []stockledger.Entry `json:"entries"`
		Next     string              `json:"next_cursor,omitempty"`
		Previous string              `json:"previous_cursor,omitempty"`
	}{SKU: sku, Entries: page.Entries}
	if answer.Entries == nil {
		answer.Entries = []stockledger.Entry{}
	}
	if page.Older > 0 {
		answer.Next = l.of.Cursor(ledgerCursor(sku, &q, olderPage, page.Older))
	}
	if page.Newer > 0 {
		answer.Previous = l.of.Cursor(ledgerCursor(sku, &q, newerPage, page.Newer))
	}
	body, err := json.Marshal(&answer)
	if err != nil {
		return fmt.Errorf("write the stock ledger: %w", err)
	}
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, body)
}

func ledgerQuestion(sku string, q *stockledger.Question) []any {
	return []any{sku, q.Location, momentText(&q.Moment)}
}

func ledgerCursor(sku string, q *stockledger.Question, direction string, from int64) string {
	return tiedCursor(direction+strconv.FormatInt(from, 10), ledgerQuestion(sku, q)...)
}

func parseLedgerQuestion(sku string, parameters url.Values) (q stockledger.Question, err error) {
	if fault := input.SKUFault(sku); fault != "" {
		return q, problem.New(problem.UnknownSKU, "No item is registered under this SKU.")
	}
	if err := onlyParameters(parameters, "location", asOfParameter, clockParameter, "limit", "cursor"); err != nil {
		return q, err
	}
	if q.Moment, err = parseMoment(parameters); err != nil {
		return q, err
	}
	q.Location = parameters.Get("location")
	if limits.Longer(q.Location, limits.MaxLocationLength) {
		return q, badParameter("location is longer than a location can be.")
	}
	if q.Limit, err = parseLimit(parameters); err != nil {
		return q, err
	}
	place, err := placeOf(parameters.Get("cursor"), ledgerQuestion(sku, &q)...)
	if err != nil || place == "" {
		return q, err
	}
	q.Newer = strings.HasPrefix(place, newerPage)
	q.From, err = strconv.ParseInt(place[1:], 10, 64)
	if err != nil || q.From < 1 {
		return q, problem.New(problem.InvalidCursor, "Send the cursor as you got it, with the same filter.")
	}
	return q, nil
}
