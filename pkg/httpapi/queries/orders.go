package queries

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// orderStatuses are the values of the status filter.
var orderStatuses = orderview.Statuses()

type orderAPI struct {
	store OrderStore
	of    eventlog.Incarnation
}

func (o *orderAPI) get(c echo.Context) error {
	if err := fresh(c, o.store, o.of); err != nil {
		return err
	}
	body, version, ok, err := o.store.Order(strings.ToLower(httpapi.PathParameter(c, "order_id")))
	switch {
	case err != nil:
		return fmt.Errorf("read order: %w", err)
	case !ok:
		return problem.New(problem.OrderNotFound, "No order has this ID, or the view has not seen it yet.")
	}
	return writeVersioned(c, body, version)
}

// listQuery is the filter and the place of a list.
type listQuery struct {
	customerID, status, after string
	limit                     int
}

func (o *orderAPI) list(c echo.Context) error {
	q, err := parseListQuery(c)
	if err != nil {
		return err
	}
	if err := fresh(c, o.store, o.of); err != nil {
		return err
	}
	rows, next, err := o.store.List(c.Request().Context(), q.customerID, q.status, q.after, q.limit)
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = append(buf.B, `{"items":[`...)
	for i, row := range rows {
		if i > 0 {
			buf.B = append(buf.B, ',')
		}
		buf.B = append(buf.B, row...)
	}
	buf.B = append(buf.B, ']')
	if next != "" {
		buf.B = append(buf.B, `,"next_cursor":"`...)
		buf.B = append(buf.B, o.of.Cursor(q.cursor(next))...)
		buf.B = append(buf.B, '"')
	}
	buf.B = append(buf.B, '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

func parseListQuery(c echo.Context) (listQuery, error) {
	q := listQuery{limit: DefaultPage}
	parameters := c.QueryParams()
	for name, values := range parameters {
		if !slices.Contains([]string{"customer_id", "status", "limit", "cursor"}, name) || len(values) > 1 {
			return q, badParameter("The query takes customer_id, status, limit and cursor, each once.")
		}
	}
	q.customerID, q.status = parameters.Get("customer_id"), parameters.Get("status")
	if limits.Longer(q.customerID, limits.MaxCustomerIDLength) {
		return q, badParameter("customer_id is too long.")
	}
	if parameters.Has("status") && !slices.Contains(orderStatuses, q.status) {
		return q, badParameter("status must be one of " + strings.Join(orderStatuses, ", ") + ".")
	}
	if parameters.Has("limit") {
		limit, err := strconv.Atoi(parameters.Get("limit"))
		if err != nil || limit < 1 || limit > MaxPage {
			return q, badParameter("limit must be from 1 to " + strconv.Itoa(MaxPage) + ".")
		}
		q.limit = limit
	}
	return q, q.resume(parameters.Get("cursor"))
}

func badParameter(detail string) error {
	return &problem.Problem{Code: problem.InvalidParameter, Detail: detail}
}

// cursor makes a place opaque and ties it to the filter. The check is against mistakes, not attackers: a
// forged place shows nothing that the filter does not.
func (q listQuery) cursor(next string) string {
	return base64.RawURLEncoding.EncodeToString(append(q.check(next), next...))
}

func (q *listQuery) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || q.cursor(string(raw[4:])) != cursor {
		return problem.New(problem.InvalidCursor, "Send next_cursor as you got it, with the same filter.")
	}
	q.after = string(raw[4:])
	return nil
}

// check begins with the version of what a place is: cursors from before are refused.
func (q listQuery) check(place string) []byte {
	h := fnv.New32a()
	fmt.Fprintf(h, "2 %q %q %q", q.customerID, q.status, place)
	return h.Sum(nil)
}
