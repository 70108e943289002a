package queries

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/insight"
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

// parse reads the query; faults point to their parameters. whole: the answer has all rows.
func (r *report) parse(parameters url.Values, whole bool) (analytics.ReportQuery, error) {
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
	zone := time.UTC
	if r.zone != nil {
		q.Zone, zone = r.zone, r.zone
	}
	if parameters.Has("tz") {
		var err error
		if zone, err = insight.LoadZone(parameters.Get("tz")); err != nil {
			fault("tz", err.Error())
			zone = time.UTC
		} else if q.By != analytics.ByMonth && q.By != analytics.ByDay && !parameters.Has("from") && !parameters.Has("to") {
			fault("tz", "makes no difference: nothing that is asked for depends on a time zone")
		}
		q.Zone = zone
	}
	for name, target := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if parameters.Has(name) {
			at, ok := parseTime(parameters.Get(name), zone)
			if !ok {
				fault(name, timeFault)
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
	if whole {
		refusePaging(parameters.Has, fault)
	} else if parameters.Has("limit") {
		var err error
		if q.Limit, err = strconv.Atoi(parameters.Get("limit")); err != nil || q.Limit < 1 || q.Limit > MaxReportPage {
			fault("limit", "must be from 1 to "+strconv.Itoa(MaxReportPage))
		}
	}
	if err := faultsOf(faults); err != nil {
		return q, err
	}
	var err error
	q.After, err = decodeCursor(parameters)
	return q, err
}

func validLocation(location string) bool {
	return !limits.Longer(location, limits.MaxLocationLength) && strings.TrimSpace(location) == location &&
		!strings.ContainsFunc(location, unicode.IsControl)
}

// timeFault is what is wrong with a day or time that parseTime does not take.
const timeFault = "must be a day (2011-03-01) or a time (2011-03-01T00:00:00Z) in the years 1900 to 2299"

// parseTime reads a day in a time zone, or a time. Its year, as written, is one that a report can be limited to.
func parseTime(text string, zone *time.Location) (time.Time, bool) {
	at, err := time.ParseInLocation(time.DateOnly, text, zone)
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

// encodeCursor makes a place opaque and ties it to the query, page size left out.
func encodeCursor(parameters url.Values, place string) string {
	return base64.RawURLEncoding.EncodeToString(append(check(parameters, place), place...))
}

// decodeCursor is the place of the query's cursor; empty: it has none.
func decodeCursor(parameters url.Values) (string, error) {
	cursor := parameters.Get("cursor")
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 || encodeCursor(parameters, string(raw[4:])) != cursor {
		return "", badCursor()
	}
	return string(raw[4:]), nil
}

func badCursor() error {
	p := problem.At(problem.InvalidCursor, "/cursor", "is not one of this query")
	p.Detail = "Send next_cursor as you got it, with the same query."
	return p
}

// check begins with the version of what a place is: cursors from before are refused.
func check(parameters url.Values, place string) []byte {
	h := fnv.New32a()
	fmt.Fprint(h, "2 ")
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if name != "cursor" && name != "limit" {
			fmt.Fprintf(h, "%q %q ", name, parameters[name])
		}
	}
	fmt.Fprintf(h, "%q", place)
	return h.Sum(nil)
}

// faultsOf is the problem of faulty parameters; nil: there are none.
func faultsOf(faults []problem.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortFunc(faults, func(a, b problem.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
	first := faults[0]
	return &problem.Problem{
		Code: problem.InvalidParameter, Errors: faults,
		Detail: strings.TrimPrefix(first.Pointer, "/") + " " + first.Detail + ".",
	}
}
