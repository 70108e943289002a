package shop

import (
	"strings"
	"testing"
)

const body = `{"customer_id":"c-1","currency":"GBP","lines":[` +
	`{"sku":"B","quantity":2,"unit_price":"2.55"},{"sku":"A","quantity":1,"unit_price":"10"},` +
	`{"sku":"B","quantity":3,"unit_price":"0.005"}]}`

// Lines stay as they came. What an order needs is one sum for each SKU, in the order of SKUs: two orders that lock
// stock in this order never wait for each other.
func TestAnOrderNeedsEachSKUOnce(t *testing.T) {
	o, err := ParseOrder("k", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Lines) != 3 || o.Lines[2] != (Line{"B", 3, 5_000}) || o.TotalMicros != 15_115_000 {
		t.Errorf("%+v", o)
	}
	if len(o.Needs) != 2 || o.Needs[0] != (Need{"A", 1}) || o.Needs[1] != (Need{"B", 5}) {
		t.Errorf("%+v", o.Needs)
	}
	if o.ID != OrderID("k") || o.ID == OrderID("l") {
		t.Error("the ID is not that of the key")
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"no JSON":             {`{"customer_id"`, `"customer_id"`},
		"an unknown member":   {`"currency"`, `"curency":"x","currency"`},
		"no customer":         {`"c-1"`, `""`},
		"no currency":         {`"GBP"`, `""`},
		"no SKU":              {`"sku":"A"`, `"sku":""`},
		"no quantity":         {`"quantity":2`, `"quantity":0`},
		"a negative quantity": {`"quantity":2`, `"quantity":-2`},
		"a negative price":    {`"10"`, `"-10"`},
		"too many decimals":   {`"10"`, `"10.0000001"`},
		"no number":           {`"10"`, `"ten"`},
		"too much":            {`"10"`, `"1000000001"`},
		"a signed fraction":   {`"10"`, `"1.-5"`},
	} {
		changed := strings.Replace(body, change[0], change[1], 1)
		if _, err := ParseOrder("k", []byte(changed)); changed == body || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseOrder("", []byte(body)); err == nil {
		t.Error("an order without a key")
	}
	if _, err := ParseOrder("k", []byte(`{"customer_id":"c","currency":"GBP","lines":[]}`)); err == nil {
		t.Error("an order without lines")
	}
}

func TestMoney(t *testing.T) {
	for micros, want := range map[int64]string{0: "0.00", 5_000: "0.01", 4_999: "0.00", 15_115_000: "15.12", 7: "0.00"} {
		if got := string(appendMoney(nil, micros)); got != want {
			t.Errorf("%d: %s", micros, got)
		}
	}
}
