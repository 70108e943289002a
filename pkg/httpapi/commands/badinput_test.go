package commands

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

const (
	someOrder  = "5f0c7f5e-2d5c-5a35-9d2f-0c9a3c1f7a11"
	goodOrder  = `{"customer_id":"c-1","currency":"GBP","lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}]}`
	placePath  = "/v1/orders"
	stockPath  = "/v1/stock/A1"
	importPath = "/v1/imports/orders"

	post = http.MethodPost
	put  = http.MethodPut
)

var long = strings.Repeat("x", 2_000)

// with replaces a part of a good order.
func with(part, by string) string { return strings.Replace(goodOrder, part, by, 1) }

// badInput is one fault a row.
var badInput = []struct {
	name, method, path, body string
	status                   int
	code, pointer            string
	headers                  []string
}{
	{"malformed JSON", post, placePath, `{"customer_id":`, 400, "malformed_json", "/customer_id", nil},
	{"trailing data", post, placePath, goodOrder + `{}`, 400, "malformed_json", "", nil},
	{"invalid UTF-8", post, placePath, with("c-1", "\xff"), 400, "malformed_json", "/customer_id", nil},
	{"no object", post, placePath, `[1]`, 400, "wrong_type", "", nil},
	{"null", post, "/v1/orders/" + someOrder + "/confirm", `null`, 400, "wrong_type", "", nil},
	{"empty body", post, placePath, ``, 400, "missing_field", "/customer_id", nil},
	{"unknown field", post, placePath, with(`"currency"`, `"colour":"red","currency"`), 400, "unknown_field", "/colour",
		nil},
	{"unknown field in a line", post, placePath, with(`"sku"`, `"size":1,"sku"`), 400, "unknown_field", "/lines/0/size",
		nil},
	{"field in another case", post, placePath, with(`"currency"`, `"Currency"`), 400, "unknown_field", "/Currency", nil},
	{"field twice", post, placePath, with(`"currency"`, `"currency":"EUR","currency"`), 400, "duplicate_field",
		"/currency", nil},
	{"quantity a string", post, placePath, with(`:2,`, `:"2",`), 400, "wrong_type", "/lines/0/quantity", nil},
	{"quantity a fraction", post, placePath, with(`:2,`, `:2.5,`), 400, "wrong_type", "/lines/0/quantity", nil},
	{"quantity with an exponent that leaves a fraction", post, placePath, with(`:2,`, `:2e-3,`), 400, "wrong_type",
		"/lines/0/quantity", nil},
	{"quantity with a large exponent", post, placePath, with(`:2,`, `:2e999999999,`), 400, "wrong_type",
		"/lines/0/quantity", nil},
	{"optional member null", post, placePath, with(`"currency"`, `"country":null,"currency"`), 400, "wrong_type",
		"/country", nil},
	{"optional list null", post, "/v1/orders/" + someOrder + "/fulfilments", `{"lines":null}`, 400, "wrong_type", "/lines",
		nil},
	{"optional number null", post, stockPath + "/counts", `{"counted":1,"counted_at_version":null}`, 400, "wrong_type",
		"/counted_at_version", nil},
	{"optional object null", post, placePath, with(`"currency"`, `"allocation":null,"currency"`), 400, "wrong_type",
		"/allocation", nil},
	{"line null", post, placePath, with(`{"sku"`, `null,{"sku"`), 400, "wrong_type", "/lines/0", nil},
	{"time empty", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":""}`, 400, "invalid_occurred_at",
		"/occurred_at", nil},
	{"time with a comma", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":"2011-01-01T00:00:00,5Z"}`, 400,
		"invalid_occurred_at", "/occurred_at", nil},
	{"time with one digit", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":"2011-01-01T0:00:00Z"}`, 400,
		"invalid_occurred_at", "/occurred_at", nil},
	{"time of 1969", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":"1969-12-31T23:59:59Z"}`, 400,
		"invalid_occurred_at", "/occurred_at", nil},
	{"time in the future", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":"2199-01-01T00:00:00Z"}`, 400,
		"invalid_occurred_at", "/occurred_at", nil},
	{"time of 2200", post, stockPath + "/receipts", `{"quantity":1,"occurred_at":"2200-01-01T00:00:00Z"}`, 400,
		"invalid_occurred_at", "/occurred_at", nil},
	{"terms empty", post, placePath, with(`"currency"`, `"payment_terms":"","currency"`), 400, "invalid_terms",
		"/payment_terms", nil},
	{"action empty", post, "/v1/orders/" + someOrder + "/fulfilments", `{"action":""}`, 400, "invalid_action", "/action",
		nil},
	{"item without a body", put, stockPath, ``, 400, "missing_field", "", nil},
	{"key empty", post, placePath, goodOrder, 400, "invalid_idempotency_key", "",
		[]string{"Idempotency-Key: ", "+Idempotency-Key: "}},
	{"key of a PUT empty", put, stockPath, `{}`, 400, "invalid_idempotency_key", "",
		[]string{"Idempotency-Key: ", "+Idempotency-Key: "}},
	{"SKU with an outer no-break space", post, placePath, with("A1", `A1\u00a0`), 400, "invalid_sku", "/lines/0/sku", nil},
	{"quantity beyond int64", post, placePath, with(`:2,`, `:99999999999999999999,`), 400, "wrong_type",
		"/lines/0/quantity", nil},
	{"lines an object", post, placePath, `{"lines":{}}`, 400, "wrong_type", "/lines", nil},
	{"price a number", post, placePath, with(`"2.55"`, `2.55`), 400, "wrong_type", "/lines/0/unit_price", nil},
	{"quantity 0", post, placePath, with(`:2,`, `:0,`), 400, "invalid_quantity", "/lines/0/quantity", nil},
	{"quantity negative", post, placePath, with(`:2,`, `:-1,`), 400, "invalid_quantity", "/lines/0/quantity", nil},
	{"quantity too large", post, placePath, with(`:2,`, `:1000000001,`), 400, "invalid_quantity", "/lines/0/quantity",
		nil},
	{"price NaN", post, placePath, with("2.55", "NaN"), 400, "invalid_price", "/lines/0/unit_price", nil},
	{"price infinite", post, placePath, with("2.55", "Infinity"), 400, "invalid_price", "/lines/0/unit_price", nil},
	{"price with an exponent", post, placePath, with("2.55", "1e3"), 400, "invalid_price", "/lines/0/unit_price", nil},
	{"price negative", post, placePath, with("2.55", "-2.55"), 400, "invalid_price", "/lines/0/unit_price", nil},
	{"price too precise", post, placePath, with("2.55", "2.5555555"), 400, "invalid_price", "/lines/0/unit_price", nil},
	{"price too large", post, placePath, with("2.55", "9999999999999999"), 400, "invalid_price", "/lines/0/unit_price",
		nil},
	{"total wrong", post, placePath, with(`"currency"`, `"total":"x","currency"`), 400, "invalid_amount", "/total", nil},
	{"no such currency", post, placePath, with("GBP", "XXX"), 400, "unknown_currency", "/currency", nil},
	{"currency in lower case", post, placePath, with("GBP", "gbp"), 400, "unknown_currency", "/currency", nil},
	{"no lines", post, placePath, `{"customer_id":"c","currency":"GBP","lines":[]}`, 400, "missing_field", "/lines", nil},
	{"too many lines", post, placePath, with(`{"sku"`, strings.Repeat(`{},`, 2_000)+`{"sku"`), 400, "too_many_lines",
		"/lines", nil},
	{"no SKU", post, placePath, with("A1", ""), 400, "missing_field", "/lines/0/sku", nil},
	{"SKU too long", post, placePath, with("A1", long), 400, "invalid_sku", "/lines/0/sku", nil},
	{"SKU with a control character", post, placePath, with("A1", `A\u0000`), 400, "invalid_sku", "/lines/0/sku", nil},
	{"customer too long", post, placePath, with("c-1", long), 400, "invalid_customer_id", "/customer_id", nil},
	{"country too long", post, placePath, with(`"currency"`, `"country":"`+long+`","currency"`), 400, "invalid_country",
		"/country", nil},
	{"terms unknown", post, placePath, with(`"currency"`, `"payment_terms":"never","currency"`), 400, "invalid_terms",
		"/payment_terms", nil},
	{"no key", post, placePath, goodOrder, 400, "idempotency_key_required", "", []string{"Idempotency-Key: "}},
	{"key too long", post, placePath, goodOrder, 400, "invalid_idempotency_key", "", []string{"Idempotency-Key: " + long}},
	{"key not ASCII", post, placePath, goodOrder, 400, "invalid_idempotency_key", "", []string{"Idempotency-Key: é"}},
	{"body without a type", post, placePath, goodOrder, 415, "unsupported_media_type", "", []string{"Content-Type: "}},
	{"line of bulk without a type", post, "/v1/commands", `{"id":"k","type":"register_item","sku":"A1","body":{}}`, 415,
		"unsupported_media_type", "", []string{"Content-Type: "}},
	{"body compressed", post, placePath, goodOrder, 415, "unsupported_media_type", "", []string{"Content-Encoding: gzip"}},
	{"bulk compressed", post, "/v1/commands", "{}", 415, "unsupported_media_type", "",
		[]string{"Content-Encoding: gzip", "Content-Type: application/x-ndjson"}},
	{"actor empty", post, placePath, goodOrder, 400, "invalid_actor", "", []string{"+Holdfast-Actor: "}},
	{"actor too long", post, placePath, goodOrder, 400, "invalid_actor", "",
		[]string{"Holdfast-Actor: " + strings.Repeat("ä", 101)}},
	{"actor in Latin-1", post, placePath, goodOrder, 400, "invalid_actor", "", []string{"Holdfast-Actor: zo\xeb"}},
	{"actor after a wide space", post, placePath, goodOrder, 400, "invalid_actor", "",
		[]string{"Holdfast-Actor: \u3000zoë"}},
	{"actor with a control character", post, placePath, goodOrder, 400, "invalid_actor", "",
		[]string{"Holdfast-Actor: zoë\u0085"}},
	{"actor that turns the writing", post, placePath, goodOrder, 400, "invalid_actor", "",
		[]string{"Holdfast-Actor: zoë\u202ebob"}},
	{"actor of an unkeyed command", put, stockPath, `{}`, 400, "invalid_actor", "", []string{"Holdfast-Actor: \xff"}},
	{"two actors", post, placePath, goodOrder, 400, "duplicate_header", "",
		[]string{"Holdfast-Actor: zoë", "+Holdfast-Actor: bob"}},
	{"actor of bulk", post, "/v1/commands", `{}`, 400, "invalid_actor", "",
		[]string{"Content-Type: application/x-ndjson", "Holdfast-Actor: \xff"}},
	{"two actors of bulk", post, "/v1/commands", `{}`, 400, "duplicate_header", "",
		[]string{"Content-Type: application/x-ndjson", "Holdfast-Actor: zoë", "+Holdfast-Actor: bob"}},
	{"two keys", post, placePath, goodOrder, 400, "duplicate_header", "", []string{"+Idempotency-Key: k-2"}},
	{"two types", post, placePath, goodOrder, 400, "duplicate_header", "", []string{"+Content-Type: text/plain"}},
	{"two types of bulk", post, "/v1/commands", "{}", 400, "duplicate_header", "", []string{"+Content-Type: text/plain"}},
	{"item named .", put, "/v1/stock/%2E", `{}`, 400, "invalid_sku", "", nil},
	{"item named ..", put, "/v1/stock/%2E%2E", `{}`, 400, "invalid_sku", "", nil},
	{"item with a C1 control", put, "/v1/stock/a%C2%85b", `{}`, 400, "invalid_sku", "", nil},
	{"description with a C1 control", put, stockPath, `{"description":"a\u0085b"}`, 400, "invalid_description",
		"/description", nil},
	{"form", post, placePath, goodOrder, 415, "unsupported_media_type", "",
		[]string{"Content-Type: application/x-www-form-urlencoded"}},
	{"body too large", post, placePath, with("c-1", strings.Repeat("x", 4<<20)), 413, "body_too_large", "", nil},
	{"If-Match on a new order", post, placePath, goodOrder, 400, "invalid_if_match", "", []string{`If-Match: "1"`}},
	{"If-Match unquoted", post, stockPath + "/counts", `{"counted":1}`, 400, "invalid_if_match", "",
		[]string{"If-Match: 3"}},
	{"If-Match a list", post, stockPath + "/counts", `{"counted":1}`, 400, "invalid_if_match", "",
		[]string{`If-Match: "3", "4"`}},
	{"If-Match foreign, body unsound", post, stockPath + "/counts", `{"counted":-1}`, 400, "invalid_quantity", "/counted",
		[]string{`If-Match: "abc"`}},
	{"If-Match foreign, no key", post, stockPath + "/counts", `{"counted":1}`, 400, "idempotency_key_required", "",
		[]string{`If-Match: "abc"`, "Idempotency-Key: "}},
	{"order ID no UUID", post, "/v1/orders/17/cancel", `{}`, 404, "order_not_found", "", nil},
	{"payment without action", post, "/v1/orders/" + someOrder + "/payments", `{"amount":"1"}`, 400, "missing_field",
		"/action", nil},
	{"payment of another action", post, "/v1/orders/" + someOrder + "/payments", `{"action":"steal","amount":"1"}`, 400,
		"invalid_action", "/action", nil},
	{"payment of 0", post, "/v1/orders/" + someOrder + "/payments", `{"action":"capture","amount":"0"}`, 400,
		"invalid_amount", "/amount", nil},
	{"ship nothing", post, "/v1/orders/" + someOrder + "/fulfilments", `{"lines":[]}`, 400, "missing_field", "/lines",
		nil},
	{"delivery with a body", post, "/v1/orders/" + someOrder + "/fulfilments/f/delivery", `{"fulfilment_id":"g"}`, 400,
		"duplicate_field", "/fulfilment_id", nil},
	{"import without a time", post, importPath,
		`{"reference":"1","currency":"GBP","lines":[{"sku":"A","quantity":1,"unit_price":"1"}]}`,
		400, "missing_field", "/occurred_at", nil},
	{"import at no time", post, importPath,
		`{"reference":"1","currency":"GBP","occurred_at":"yesterday","lines":[{"sku":"A","quantity":1,"unit_price":"1"}]}`,
		400, "invalid_occurred_at", "/occurred_at", nil},
	{"receipt of nothing", post, stockPath + "/receipts", `{}`, 400, "invalid_quantity", "/quantity", nil},
	{"cost without a currency", post, stockPath + "/receipts", `{"quantity":1,"unit_cost":"1.25"}`, 400, "missing_field",
		"/cost_currency", nil},
	{"currency without a cost", post, stockPath + "/receipts", `{"quantity":1,"cost_currency":"GBP"}`, 400,
		"missing_field", "/unit_cost", nil},
	{"cost in no currency", post, stockPath + "/receipts", `{"quantity":1,"unit_cost":"1","cost_currency":"XXX"}`, 400,
		"unknown_currency", "/cost_currency", nil},
	{"cost negative", post, stockPath + "/receipts", `{"quantity":1,"unit_cost":"-1","cost_currency":"GBP"}`, 400,
		"invalid_cost", "/unit_cost", nil},
	{"location too long", post, stockPath + "/receipts", `{"quantity":1,"location":"` + long + `"}`, 400,
		"invalid_location", "/location", nil},
	{"adjustment without change", post, stockPath + "/adjustments", `{"delta":0,"reason":"other"}`, 400, "invalid_delta",
		"/delta", nil},
	{"adjustment without reason", post, stockPath + "/adjustments", `{"delta":1}`, 400, "missing_field", "/reason", nil},
	{"adjustment of another reason", post, stockPath + "/adjustments", `{"delta":1,"reason":"why"}`, 400, "invalid_reason",
		"/reason", nil},
	{"count of nothing", post, stockPath + "/counts", `{}`, 400, "missing_field", "/counted", nil},
	{"safety stock negative", put, stockPath + "/safety-stock", `{"quantity":-1}`, 400, "invalid_quantity", "/quantity",
		nil},
	{"limit missing", put, stockPath + "/backorder-limit", `{}`, 400, "missing_field", "/limit", nil},
	{"SKU of spaces", put, "/v1/stock/%20", `{}`, 400, "invalid_sku", "", nil},
	{"SKU with a newline", put, "/v1/stock/a%0Ab", `{}`, 400, "invalid_sku", "", nil},
	{"description too long", put, stockPath, `{"description":"` + long + `"}`, 400, "invalid_description", "/description",
		nil},
	{"payment in words", post, "/v1/orders/" + someOrder + "/payments", `{"action":"capture","amount":"ten"}`, 400,
		"invalid_amount", "/amount", nil},
	{"refund of 0", post, "/v1/orders/" + someOrder + "/payments", `{"action":"refund","amount":"0"}`, 400,
		"invalid_amount", "/amount", nil},
	{"refund of a purpose", post, "/v1/orders/" + someOrder + "/payments", `{"action":"refund","purpose":"charity"}`, 400,
		"invalid_purpose", "/purpose", nil},
	{"void with a purpose", post, "/v1/orders/" + someOrder + "/payments", `{"action":"void","purpose":"goodwill"}`, 400,
		"unknown_field", "/purpose", nil},
	{"uncovered reason too long", post, "/v1/orders/" + someOrder + "/fulfilments", `{"uncovered_reason":"` + long + `"}`,
		400, "invalid_uncovered_reason", "/uncovered_reason", nil},
	{"backordered reason too long", post, "/v1/orders/" + someOrder + "/fulfilments",
		`{"backordered_reason":"` + long + `"}`, 400, "invalid_backordered_reason", "/backordered_reason", nil},
	{"void with an exponent", post, "/v1/orders/" + someOrder + "/payments", `{"action":"void","amount":"1e2"}`, 400,
		"invalid_amount", "/amount", nil},
	{"start with an ID of the provider", post, "/v1/orders/" + someOrder + "/payments",
		`{"action":"start","provider_event_id":"evt_1"}`, 400, "unknown_field", "/provider_event_id", nil},
	{"an empty ID of the provider", post, "/v1/orders/" + someOrder + "/payments",
		`{"action":"fail","provider_event_id":""}`, 400, "invalid_provider_event_id", "/provider_event_id", nil},
	{"start with an amount", post, "/v1/orders/" + someOrder + "/payments", `{"action":"start","amount":"1"}`, 400,
		"unknown_field", "/amount", nil},
	{"payment reference too long", post, "/v1/orders/" + someOrder + "/payments", `{"action":"fail","reference":"` + long +
		`"}`, 400, "invalid_reference", "/reference", nil},
	{"hold with a field", post, "/v1/orders/" + someOrder + "/hold", `{"until":"Monday"}`, 400, "unknown_field", "/until",
		nil},
	{"hold for a long reason", post, "/v1/orders/" + someOrder + "/hold", `{"reason":"` + long + `"}`, 400,
		"invalid_reason", "/reason", nil},
	{"resume with a body", post, "/v1/orders/" + someOrder + "/resume", `{"reason":"x"}`, 400, "unknown_field", "/reason",
		nil},
	{"cancel no lines", post, "/v1/orders/" + someOrder + "/cancel-lines", `{"lines":[]}`, 400, "missing_field", "/lines",
		nil},
	{"amend no lines", post, "/v1/orders/" + someOrder + "/amend", `{"lines":[]}`, 400, "missing_field", "/lines", nil},
	{"amend a line to -1", post, "/v1/orders/" + someOrder + "/amend", `{"lines":[{"sku":"A","quantity":-1}]}`, 400,
		"invalid_quantity", "/lines/0/quantity", nil},
	{"cancel -1 of a line", post, "/v1/orders/" + someOrder + "/cancel-lines", `{"lines":[{"sku":"A","quantity":-1}]}`,
		400, "invalid_quantity", "/lines/0/quantity", nil},
	{"fulfilment of another action", post, "/v1/orders/" + someOrder + "/fulfilments", `{"action":"lose"}`, 400,
		"invalid_action", "/action", nil},
	{"fulfilment of 0", post, "/v1/orders/" + someOrder + "/fulfilments",
		`{"action":"create","lines":[{"sku":"A","quantity":0}]}`, 400, "invalid_quantity", "/lines/0/quantity", nil},
	{"shipment with a field", post, "/v1/orders/" + someOrder + "/fulfilments/f/shipment", `{"carrier":"x"}`, 400,
		"unknown_field", "/carrier", nil},
	{"shipment that is no object", post, "/v1/orders/" + someOrder + "/fulfilments/f/shipment", `[]`, 400, "wrong_type",
		"", nil},
	{"credit note without lines", post, "/v1/imports/credit-notes",
		`{"reference":"1","currency":"GBP","occurred_at":"2011-01-01T00:00:00Z"}`, 400, "missing_field", "/lines", nil},
	{"delivery expected of -1", put, stockPath + "/incoming", `{"quantity":-1}`, 400, "invalid_quantity", "/quantity",
		nil},
	{"move from nowhere", post, stockPath + "/moves", `{"to":"damaged","quantity":1}`, 400, "missing_field", "/from", nil},
	{"move to no state", post, stockPath + "/moves", `{"from":"available","to":"lost","quantity":1}`, 400, "invalid_state",
		"/to", nil},
	{"move to where it is", post, stockPath + "/moves", `{"from":"damaged","to":"damaged","quantity":1}`, 400,
		"invalid_state", "/to", nil},
	{"move of 0", post, stockPath + "/moves", `{"from":"available","to":"damaged","quantity":0}`, 400, "invalid_quantity",
		"/quantity", nil},
	{"no such path", post, "/v1/nothing", `{}`, 404, "not_found", "", nil},
	{"no such method", http.MethodDelete, placePath, ``, 405, "method_not_allowed", "", nil},
}

// Bad input is a 4xx with a code and a pointer, and never becomes a command.
func TestBadInput(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	for _, row := range badInput {
		t.Run(row.name, func(t *testing.T) {
			headers := row.headers
			if len(headers) == 0 {
				headers = []string{"Content-Type: application/json"}
			}
			r := s.Do(t, row.method, row.path, row.body, headers...)
			p := r.Problem(t)
			pointer := ""
			if len(p.Errors) > 0 {
				pointer = p.Errors[0].Pointer
			}
			if r.Status != row.status || p.Status != row.status || p.Code != row.code || pointer != row.pointer {
				t.Errorf("got %d %s at %q, want %d %s at %q\n%s", r.Status, p.Code, pointer, row.status, row.code, row.pointer,
					r.Body)
			}
		})
	}
	if n := len(d.taken()); n != 0 {
		t.Errorf("%d commands were submitted", n)
	}
}

// Of several faults the first one names the answer, in the order that the document has. Each row mends the fault that
// the row before it was answered with.
func TestTheOrderOfFaults(t *testing.T) {
	d := &desk{}
	s := newSite(t, d)
	const path = "/v1/orders/17/cancel"
	for _, row := range []struct {
		path, body, code string
		headers          []string
	}{
		{path, `{"reason":7,`, "unsupported_media_type",
			[]string{"Content-Type: text/plain", "Idempotency-Key: ", "If-Match: 3"}},
		{path, `{"reason":7,`, "idempotency_key_required", []string{"Idempotency-Key: ", "If-Match: 3"}},
		{path, `{"reason":7,`, "invalid_idempotency_key",
			[]string{"Idempotency-Key: ä", "Holdfast-Actor: \xff", "If-Match: 3"}},
		{path, `{"reason":7,`, "invalid_actor", []string{"Holdfast-Actor: \xff", "If-Match: 3"}},
		{path, `{"reason":7,`, "invalid_if_match", []string{"If-Match: 3"}},
		{path, `{"reason":7,`, "order_not_found", []string{`If-Match: "abc"`}},
		{"/v1/orders/" + someOrder + "/cancel", `{"reason":7,`, "wrong_type", []string{`If-Match: "abc"`}},
		{"/v1/orders/17/payments", `{"reason":7,`, "idempotency_key_required", []string{"Idempotency-Key: "}},
		{"/v1/orders/17/payments", `{"reason":`, "malformed_json", nil},
		{"/v1/orders/17/payments", `{"action":"steal","amount":"x"}`, "invalid_action", nil},
		{"/v1/orders/17/payments", `{"action":"capture","amount":"x"}`, "order_not_found", nil},
		{"/v1/orders/" + someOrder + "/payments", `{"action":"capture","amount":"x"}`, "invalid_amount", nil},
	} {
		r := s.Do(t, post, row.path, row.body, row.headers...)
		if p := r.Problem(t); p.Code != row.code {
			t.Errorf("%s %s %q: %s, want %s", row.path, row.body, row.headers, p.Code, row.code)
		}
	}
	if n := len(d.taken()); n != 0 {
		t.Errorf("%d commands were submitted", n)
	}
}

// An entity tag that is none of ours matches no version, and that is for the shard to say: it knows the current one,
// and whether the key was used.
func TestForeignEntityTagsMatchNoVersion(t *testing.T) {
	d := &desk{decide: func(_ *shard.Command, f *handFuture) {
		f.finish(shard.Result{Code: problem.VersionMismatch, Version: 9})
	}}
	s := newSite(t, d)
	for _, tag := range []string{`"abc"`, `W/"3"`, `"0"`, `"03"`, `""`} {
		r := s.Do(t, post, stockPath+"/counts", `{"counted":1}`, "If-Match: "+tag)
		if r.Status != http.StatusPreconditionFailed || r.Header.Get("Etag") != `"9"` {
			t.Errorf("%s: %d %v %s", tag, r.Status, r.Header, r.Body)
		}
	}
	for _, cmd := range d.taken() {
		if cmd.ExpectedVersion == nil || *cmd.ExpectedVersion != shard.NoVersion {
			t.Errorf("%v", cmd.ExpectedVersion)
		}
	}
}

// Whoever types curl wants the prompt on a line of its own.
func TestAnswersEndWithANewline(t *testing.T) {
	s := newSite(t, &desk{})
	for path, body := range map[string]string{
		placePath: goodOrder, stockPath + "/counts": `{"counted":-1}`, "/nowhere": `{}`,
	} {
		if r := s.Do(t, post, path, body); !strings.HasSuffix(r.Body, "}\n") || strings.HasSuffix(r.Body, "\n\n") ||
			r.Header.Get("Content-Length") != strconv.Itoa(len(r.Body)) {
			t.Errorf("%s: %q %v", path, r.Body, r.Header)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := s.Do(t, http.MethodGet, path, ""); !strings.HasSuffix(r.Body, "}\n") {
			t.Errorf("%s: %q", path, r.Body)
		}
	}
}
