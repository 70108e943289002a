package queries

import (
	"errors"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// TestOrderParameters: each parameter is read into the filter, and each fault of it is told with its name.
func TestOrderParameters(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	o := &orderAPI{zone: berlin}
	amount := func(micros int64) *int64 { return &micros }
	day := time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC) // the first of March in Berlin
	for query, want := range map[string]orderview.Filter{
		"customer_id=c-1&status=on_hold&number=12":        {CustomerID: "c-1", Status: "on_hold", Number: 12},
		"payment_status=captured&fulfilment_status=":      {},
		"payment_status=captured&return_status=requested": {PaymentStatus: "captured", ReturnStatus: "requested"},
		"fulfilment_status=delivered&kind=credit_note":    {FulfilmentStatus: "delivered", Kind: "credit_note"},
		"sku=A%201&reference=4711&country=DE":             {SKU: "A 1", Reference: "4711", Country: "DE"},
		"currency=EUR&min_total=10&max_total=20.5": {
			Currency: "EUR", MinTotal: amount(10_000_000), MaxTotal: amount(20_500_000)},
		"placed_from=2026-03-01&placed_to=2026-03-01T00:00:00Z": {
			Placed: orderview.TimeRange{From: day, To: day.Add(time.Hour)}},
		"changed_from=2026-03-01&deadline_to=2026-03-01": {
			Changed: orderview.TimeRange{From: day}, Deadline: orderview.TimeRange{To: day}},
		"metadata[a]=b": {Metadata: orderview.Metadata{"a": "b"}},
	} {
		q, err := o.parse(values(t, query), true)
		if want := want; reflect.DeepEqual(want, orderview.Filter{}) {
			if err == nil {
				t.Errorf("%s is taken", query)
			}
		} else if err != nil || !reflect.DeepEqual(q.Filter, want) {
			t.Errorf("%s: %+v, want %+v (%v)", query, q.Filter, want, err)
		}
	}
	for query, parameter := range map[string]string{
		"payment_status=paid": "payment_status", "fulfilment_status=open": "fulfilment_status",
		"return_status=x": "return_status", "kind=orders": "kind", "sku=%00": "sku", "currency=EURO": "currency",
		"min_total=10":               "min_total",
		"currency=EUR&max_total=1e3": "max_total", "placed_from=yesterday": "placed_from",
		"changed_from=2026-03-01&changed_to=2026-03-01": "changed_to", "deadline_to=": "deadline_to",
		"placed_to=2026-03-01&placed_to=2026-03-02": "placed_to", "metadata[a": "metadata[a", "location=main": "location",
		"country=" + string(make([]byte, 65)): "country",
	} {
		_, err := o.parse(values(t, query), false)
		p, ok := errors.AsType[*problem.Problem](err)
		if !ok || len(p.Errors) != 1 || p.Errors[0].Pointer != "/"+parameter {
			t.Errorf("%q: %+v", query, err)
		}
	}
}

func values(t *testing.T, query string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
