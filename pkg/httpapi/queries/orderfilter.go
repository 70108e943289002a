package queries

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// orderParameters are those of lists of orders, beside metadata[KEY].
var orderParameters = []string{
	"customer_id", "status", "payment_status", "fulfilment_status", "return_status", "kind", "sku", "reference", "country",
	"currency", "min_total", "max_total", "placed_from", "placed_to", "changed_from", "changed_to", "deadline_from",
	"deadline_to", "number", "limit", "cursor",
}

// orderFilter reads parameters into a filter, and gathers what is wrong with them.
type orderFilter struct {
	orderview.Filter
	parameters url.Values
	zone       *time.Location
	faults     []problem.FieldError
}

func (f *orderFilter) fault(name, detail string) {
	f.faults = append(f.faults, problem.FieldError{Pointer: "/" + name, Detail: detail})
}

// parse reads the query of a list. whole: the answer has all rows.
func (o *orderAPI) parse(parameters url.Values, whole bool) (q listQuery, err error) {
	q.parameters = parameters
	f := orderFilter{parameters: parameters, zone: time.UTC}
	if o.zone != nil {
		f.zone = o.zone
	}
	f.readNames()
	f.readWords()
	f.readTexts()
	f.readTotals()
	f.readTimes()
	if whole {
		refusePaging(q.parameters.Has, f.fault)
	}
	if err := faultsOf(f.faults); err != nil {
		return q, err
	}
	q.Filter = f.Filter
	if whole {
		return q, nil
	}
	if q.limit, err = parseLimit(q.parameters); err != nil {
		return q, err
	}
	q.after, err = decodeCursor(q.parameters)
	return q, err
}

// readNames reads the metadata, whose keys are in names, and refuses names that there are not.
func (f *orderFilter) readNames() {
	for name, values := range f.parameters {
		key, isMetadata := metadataKey(name)
		switch {
		case isMetadata && len(values) == 1:
			if !limits.ValidMetadataKey(key) || !limits.ValidMetadataValue(values[0]) {
				f.fault(name, "has a key or a value that no metadata has")
			}
			if f.Metadata == nil {
				f.Metadata = orderview.Metadata{}
			}
			f.Metadata[key] = values[0]
		case !slices.Contains(orderParameters, name) || len(values) > 1:
			f.fault(name, "there is no such parameter, or it is given twice; there are metadata[KEY], "+list(orderParameters))
		}
	}
	if len(f.Metadata) > limits.MaxMetadataEntries {
		f.fault("metadata", "has at most "+strconv.Itoa(limits.MaxMetadataEntries)+" entries")
	}
}

// readWords reads the parameters that are one of some words.
func (f *orderFilter) readWords() {
	for _, p := range []struct {
		name   string
		target *string
		words  []string
	}{
		{"status", &f.Status, orderview.Statuses()},
		{"payment_status", &f.PaymentStatus, orderview.PaymentStatuses()},
		{"fulfilment_status", &f.FulfilmentStatus, orderview.FulfilmentStatuses()},
		{"return_status", &f.ReturnStatus, orderview.ReturnStatuses()},
		{"kind", &f.Kind, orderview.Kinds()},
	} {
		if *p.target = f.parameters.Get(p.name); f.parameters.Has(p.name) && !slices.Contains(p.words, *p.target) {
			f.fault(p.name, "must be one of "+list(p.words))
		}
	}
}

// readTexts reads the parameters that an order has as they are.
func (f *orderFilter) readTexts() {
	for _, p := range []struct {
		name   string
		target *string
		most   int
	}{
		{"customer_id", &f.CustomerID, limits.MaxCustomerIDLength}, {"reference", &f.Reference, limits.MaxReferenceLength},
		{"sku", &f.SKU, limits.MaxSKULength}, {"country", &f.Country, limits.MaxCountryLength},
	} {
		if *p.target = f.parameters.Get(p.name); limits.Longer(*p.target, p.most) {
			f.fault(p.name, fmt.Sprintf("has at most %d characters", p.most))
		}
	}
	if f.SKU != "" && input.SKUFault(f.SKU) != "" {
		f.fault("sku", input.SKUFault(f.SKU))
	}
	if f.parameters.Has("number") {
		var err error
		if f.Number, err = strconv.ParseUint(f.parameters.Get("number"), 10, 63); err != nil || f.Number == 0 {
			f.fault("number", "must be that of an order: a whole number from 1")
		}
	}
}

// readTotals reads the currency, and the bounds of totals, which are amounts of it.
func (f *orderFilter) readTotals() {
	if f.Currency = f.parameters.Get("currency"); f.parameters.Has("currency") {
		if _, known := money.Lookup(f.Currency); !known {
			f.fault("currency", "must be the ISO 4217 code of a currency, in capitals, such as GBP")
		}
	}
	for name, target := range map[string]**int64{"min_total": &f.MinTotal, "max_total": &f.MaxTotal} {
		if !f.parameters.Has(name) {
			continue
		}
		micros, err := money.Parse(f.parameters.Get(name))
		switch {
		case err != nil || micros < 0 || micros > limits.MaxAmount*money.MicrosPerUnit:
			f.fault(name, fmt.Sprintf("must be an amount from 0 to %d, such as 19.90", limits.MaxAmount))
		case f.Currency == "":
			f.fault(name, "needs currency, since totals of different currencies do not compare")
		}
		*target = &micros
	}
}

func (f *orderFilter) readTimes() {
	for name, target := range map[string]*orderview.TimeRange{
		"placed": &f.Placed, "changed": &f.Changed, "deadline": &f.Deadline,
	} {
		target.From, target.To = f.time(name+"_from"), f.time(name+"_to")
		if !target.From.IsZero() && !target.To.IsZero() && !target.From.Before(target.To) {
			f.fault(name+"_to", "must be after "+name+"_from")
		}
	}
}

// time is the time of a parameter; the zero time where there is none.
func (f *orderFilter) time(name string) time.Time {
	if !f.parameters.Has(name) {
		return time.Time{}
	}
	at, ok := parseTime(f.parameters.Get(name), f.zone)
	if !ok {
		f.fault(name, timeFault)
	}
	return at
}
