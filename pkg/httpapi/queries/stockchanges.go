package queries

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/stockledger"
)

// changesQuery asks for a page of what changed between two moments.
type changesQuery struct {
	stockledger.Span
	after string
	limit int
}

func (l *ledgerAPI) changes(c echo.Context) error {
	q, err := parseChangesQuery(c.QueryParams())
	if err != nil {
		return err
	}
	if err := freshList(c, l.store, l.of, &q.From); err != nil {
		return err
	}
	if err := freshList(c, l.store, l.of, &q.To); err != nil {
		return err
	}
	changes, next, err := l.store.Changes(c.Request().Context(), &q.Span, q.after, q.limit)
	if err != nil {
		return fmt.Errorf("compare stock: %w", err)
	}
	answer := struct {
		Items []stockledger.Change `json:"items"`
		Next  string               `json:"next_cursor,omitempty"`
	}{Items: changes}
	if answer.Items == nil {
		answer.Items = []stockledger.Change{}
	}
	if next != "" {
		answer.Next = l.of.Cursor(tiedCursor(next, q.question()...))
	}
	body, err := json.Marshal(&answer)
	if err != nil {
		return fmt.Errorf("write changes of stock: %w", err)
	}
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, body)
}

func (q *changesQuery) question() []any {
	return []any{q.SKU, q.Prefix, q.Location, momentText(&q.From), momentText(&q.To)}
}

func parseChangesQuery(parameters url.Values) (q changesQuery, err error) {
	known := []string{
		fromParameter, toParameter, clockParameter, "sku", "prefix", "location", "limit", "cursor",
	}
	if err := onlyParameters(parameters, known...); err != nil {
		return q, err
	}
	if !parameters.Has(fromParameter) {
		return q, badParameter("from is missing. It is the moment to compare with, " + whatMomentsAre)
	}
	if q.From, err = momentIn(parameters, fromParameter); err != nil {
		return q, err
	}
	if q.To, err = momentIn(parameters, toParameter); err != nil {
		return q, err
	}
	q.SKU = parameters.Get("sku")
	if q.Prefix, q.Location, err = prefixAndLocation(parameters); err != nil {
		return q, err
	}
	if q.SKU != "" && q.Prefix != "" {
		return q, badParameter("sku names one item, and prefix many: leave one of them out.")
	}
	if q.limit, err = parseLimit(parameters); err != nil {
		return q, err
	}
	q.after, err = placeOf(parameters.Get("cursor"), q.question()...)
	return q, err
}
