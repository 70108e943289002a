package queries

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/problem"
)

// list names the values of a parameter, or the parameters: month, day, country.
func list[T ~string](values []T) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(value))
	}
	return b.String()
}

// parse reads the query; faults point to their parameters.
func (r *report) parse(parameters url.Values) (analytics.ReportQuery, error) {
	q := analytics.ReportQuery{Limit: DefaultReportPage}
	var faults []problem.FieldError
	fault := func(name, detail string) {
		faults = append(faults, problem.FieldError{Pointer: "/" + name, Detail: detail})
	}
	for name, values := range parameters {
		if !slices.Contains(r.parameters, name) || len(values) > 1 {
			fault(name, "the report has no such parameter, or it is given twice; the parameters are "+list(r.parameters))
		}
	}
	q.By = analytics.Dimension(parameters.Get("by"))
	if !slices.Contains(r.by, q.By) {
		fault("by", "must be one of "+list(r.by))
	}
	for name, target := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if parameters.Has(name) {
			at, ok := parseTime(parameters.Get(name))
			if !ok {
				fault(name, "must be a day (2011-03-01) or a time (2011-03-01T00:00:00Z) in the years 1900 to 2299")
			}
			*target = at
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		fault("to", "must be after from")
	}
	if q.Currency = parameters.Get("currency"); parameters.Has("currency") {
		if _, known := money.Lookup(q.Currency); !known {
			fault("currency", "must be the ISO 4217 code of a currency, in capitals, such as GBP")
		}
	}
	if q.SKU = parameters.Get("sku"); q.SKU != "" && input.SKUFault(q.SKU) != "" {
		fault("sku", input.SKUFault(q.SKU))
	}
	if q.Location = parameters.Get("location"); !validLocation(q.Location) {
		fault("location", fmt.Sprintf("must be at most %d characters, without control characters and spaces around it",
			limits.MaxLocationLength))
	}
	if parameters.Has("limit") {
		var err error
		if q.Limit, err = strconv.Atoi(parameters.Get("limit")); err != nil || q.Limit < 1 || q.Limit > MaxReportPage {
			fault("limit", "must be from 1 to "+strconv.Itoa(MaxReportPage))
		}
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b problem.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
		first := faults[0]
		return q, &problem.Problem{
			Code: problem.InvalidParameter, Errors: faults,
			Detail: strings.TrimPrefix(first.Pointer, "/") + " " + first.Detail + ".",
		}
	}
	return q, r.resume(parameters, &q)
}

func validLocation(location string) bool {
	return !limits.Longer(location, limits.MaxLocationLength) && strings.TrimSpace(location) == location &&
		!strings.ContainsFunc(location, unicode.IsControl)
}

// parseTime reads a day or a time. Its year, as written, is one that a report can be limited to.
func parseTime(text string) (time.Time, bool) {
	at, err := time.Parse(time.DateOnly, text)
	ok := err == nil
	if !ok {
		at, ok = input.ParseTime(text)
	}
	ok = ok && at.Year() >= analytics.FirstTime.Year() && at.Year() <= analytics.LastTime.Year()
	switch at = at.UTC(); {
	case at.Before(analytics.FirstTime):
		at = analytics.FirstTime
	case at.After(analytics.LastTime):
		at = analytics.LastTime
	}
	return at, ok
}

// cursor makes a place opaque and ties it to the query, page size left out.
func (r *report) cursor(parameters url.Values, place string) string {
	return base64.RawURLEncoding.EncodeToString(append(check(parameters, place), place...))
}

func (r *report) resume(parameters url.Values, q *analytics.ReportQuery) error {
	cursor := parameters.Get("cursor")
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || r.cursor(parameters, string(raw[4:])) != cursor {
		return badCursor()
	}
	q.After = string(raw[4:])
	return nil
}

func badCursor() error {
	p := problem.At(problem.InvalidCursor, "/cursor", "is not one of this query")
	p.Detail = "Send next_cursor as you got it, with the same query."
	return p
}

func check(parameters url.Values, place string) []byte {
	h := fnv.New32a()
	for _, name := range []string{"by", "from", "to", "currency", "sku", "location"} {
		fmt.Fprintf(h, "%q ", parameters.Get(name))
	}
	fmt.Fprintf(h, "%q", place)
	return h.Sum(nil)
}
