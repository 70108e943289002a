package queries

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/problem"
)

// parseQuestion reads the query; faults point to their parameters. Those that are no parameter are keys. whole: the
// answer has all rows.
func parseQuestion(d *insight.Definition, parameters url.Values, whole bool) (insight.Question, error) {
	q := insight.Question{
		Limit: DefaultReportPage, Order: parameters.Get("order"), Zone: parameters.Get("tz"), Where: map[string][]string{},
	}
	var faults []problem.FieldError
	fault := func(name, detail string) {
		faults = append(faults, problem.FieldError{Pointer: "/" + name, Detail: detail})
	}
	keys := make([]string, len(d.Keys))
	for i, key := range d.Keys {
		keys[i] = key.Name
	}
	for name, values := range parameters {
		switch {
		case slices.Contains(keys, name):
			q.Where[name] = values
		case !slices.Contains(insight.Parameters, name) || len(values) > 1:
			fault(name, "the insight has no such parameter, or it is given twice; the parameters are "+
				list(slices.Concat(keys, insight.Parameters)))
		}
	}
	q.By, q.Measures = names(parameters, "by"), names(parameters, "measures")
	zone := parseZone(d, parameters, fault)
	for name, target := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if parameters.Has(name) {
			at, ok := parseTime(parameters.Get(name), zone)
			if !ok {
				fault(name, timeFault)
			}
			*target = at
		}
	}
	if whole {
		refusePaging(parameters.Has, fault)
	} else if parameters.Has("limit") {
		var err error
		if q.Limit, err = strconv.Atoi(parameters.Get("limit")); err != nil {
			fault("limit", "must be from 1 to "+strconv.Itoa(insight.MaxAnswerRows))
		}
	}
	if err := faultsOf(faults); err != nil {
		return q, err
	}
	var err error
	q.After, err = decodeCursor(parameters)
	return q, err
}

// names are the names in a parameter with commas between them; nil: it is not there.
func names(parameters url.Values, parameter string) []string {
	text := parameters.Get(parameter)
	switch {
	case !parameters.Has(parameter):
		return nil
	case text == "":
		return []string{}
	}
	return strings.Split(text, ",")
}

// parseZone is the zone of days: of the parameter, or of the definition.
func parseZone(d *insight.Definition, parameters url.Values, fault func(name, detail string)) *time.Location {
	name := d.Zone
	if parameters.Has("tz") {
		name = parameters.Get("tz")
	}
	zone, err := insight.LoadZone(name)
	if err != nil {
		fault("tz", err.Error())
		return time.UTC
	}
	return zone
}

// onlyParameters refuses parameters that are not allowed, or that are there twice.
func onlyParameters(parameters url.Values, allowed ...string) error {
	var faults []problem.FieldError
	for name, values := range parameters {
		if !slices.Contains(allowed, name) || len(values) > 1 {
			detail := "there is no such parameter"
			if len(allowed) > 0 {
				detail += ", or it is given twice; there are " + list(allowed)
			}
			faults = append(faults, problem.FieldError{Pointer: "/" + name, Detail: detail})
		}
	}
	return faultsOf(faults)
}
