package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// What the document shows as a body is taken as it stands.
func TestEveryDocumentedExampleIsTaken(t *testing.T) {
	s := newSite(t, &desk{})
	fill := strings.NewReplacer("{order_id}", someOrder, "{sku}", "A1", "{fulfilment_id}", "f", "{return_id}", "r",
		"{transfer_id}", "t")
	sent := 0
	for _, op := range apitest.Open(t).Operations() {
		if !op.IsCommand() {
			continue
		}
		if len(op.Examples) == 0 {
			t.Errorf("%s shows no body", op.ID)
		}
		for name, body := range op.Examples {
			r := s.Do(t, op.Method, fill.Replace(op.Path), body, "Content-Type: "+op.MediaType)
			if sent++; r.Status >= http.StatusMultipleChoices || strings.Contains(r.Body, `"problem"`) {
				t.Errorf("%s, %s: %d %s", op.ID, name, r.Status, r.Body)
			}
		}
	}
	if sent < len(command.All())-len([]string{"void", "fail", "start", "capture", "refund"})-1 {
		t.Errorf("only %d examples", sent)
	}
}

// Whoever gets a 429 finds in the document, and on the page of errors, which limits it may come from and what to do.
func TestEveryLimitBehindA429IsDocumented(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "..", "schemas", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, response, _ := strings.Cut(string(document), "\n    TooManyRequests:\n")
	response, _, _ = strings.Cut(response, "\n      headers:")
	advice, _ := problem.Lookup(problem.TooManyRequests)
	thousands := func(n int) string { return fmt.Sprintf("%d,%03d", n/1_000, n%1_000) }
	for _, want := range []string{
		thousands(shard.MaxQueued), thousands(shard.MaxPeerQueued), fmt.Sprintf("%d MiB", shard.MaxPeerQueuedBytes>>20),
		thousands(shard.MaxOpenSagas), "Retry-After", "same", "Idempotency-Key",
	} {
		if !strings.Contains(response, want) {
			t.Errorf("schemas/openapi.yaml does not say %s of a 429", want)
		}
		if !strings.Contains(advice.Cause+advice.Remedy, want) {
			t.Errorf("docs/errors.md does not say %s of too_many_requests", want)
		}
	}
}

// A code that an operation lists is one that there is, with that status; and every refusal by a rule is listed.
func TestDocumentedCodesAreThoseOfTheCode(t *testing.T) {
	listed := map[string]bool{}
	for _, op := range apitest.Open(t).Operations() {
		for status, codes := range op.Codes {
			for _, code := range codes {
				listed[code] = true
				if _, ok := problem.Lookup(code); !ok {
					t.Errorf("%s: there is no code %s", op.ID, code)
				}
				// unknown_sku is 404 for stock and 409 for orders, unknown_location is 409 for stock and 404 for the location.
				twice := code == "unknown_sku" || code == "unknown_location"
				if row, _ := problem.Lookup(code); row.Status != status && !twice {
					t.Errorf("%s: %s is %d, not %d", op.ID, code, row.Status, status)
				}
			}
		}
	}
	// These have no operation, or stand on a line of bulk alone.
	elsewhere := []string{"cross_origin", "unknown_host", "not_found", "method_not_allowed", "internal", "invalid_step",
		"invalid_line", "unknown_command", "line_too_long"}
	// These are refused before the rules are asked: an API makes its IDs by itself.
	never := []string{"invalid_order_id", "invalid_kind"}
	for _, row := range problem.Rows() {
		code := row.Code
		if !listed[code] && !slices.Contains(elsewhere, code) && !slices.Contains(never, code) {
			t.Errorf("no operation lists %s", code)
		}
	}
}

// Words are derived from the event schema (pkg/eventlog/schema). The document lists the same.
func TestDocumentedWordsAreThoseOfTheSchema(t *testing.T) {
	document := apitest.Open(t)
	for _, test := range []struct {
		words []string
		path  []string
	}{
		{schema.Reasons.All(), []string{"Reason"}},
		{schema.StockStates.All(), []string{"StockState"}},
		{schema.AllocationPolicies.All(), []string{"AllocationPolicy"}},
		{schema.PaymentTerms.All(), []string{"PlaceOrder", "properties", "payment_terms"}},
		{schema.ChargeKinds.All(), []string{"ChargeKind"}},
		{schema.Roundings.All(), []string{"Rounding"}},
		{schema.Conditions.All(), []string{"ReturnedLine", "properties", "condition"}},
	} {
		if documented := document.Enum(test.path...); !slices.Equal(documented, test.words) {
			t.Errorf("%v: the document has %v, the schema %v", test.path, documented, test.words)
		}
	}
}

// Limits stand in package input. The document says the same of each member.
func TestDocumentedLimitsAreThoseOfTheCode(t *testing.T) {
	document := apitest.Open(t)
	for member, limit := range map[string]int{
		"sku": limits.MaxSKULength, "location": limits.MaxLocationLength, "customer_id": limits.MaxCustomerIDLength,
		"country": limits.MaxCountryLength, "reference": limits.MaxReferenceLength, "reason": limits.MaxReasonLength,
		"description": limits.MaxDescriptionLength, "tracking_reference": limits.MaxReferenceLength,
	} {
		all := document.MaxLengths(member)
		if len(all) == 0 {
			t.Errorf("the document has no limit of %s", member)
		}
		for schemaName, documented := range all {
			if documented != limit {
				t.Errorf("%s of %s: the document allows %d characters, the code %d", member, schemaName, documented, limit)
			}
		}
	}
	for member, limit := range map[string]int{
		"lines": limits.MaxLines, "charges": limits.MaxCharges, "discounts": limits.MaxDiscounts, "taxes": limits.MaxTaxes,
	} {
		all := document.MaxItems(member)
		if len(all) == 0 {
			t.Errorf("the document has no limit of %s", member)
		}
		for schemaName, documented := range all {
			if documented != limit {
				t.Errorf("%s of %s: the document allows %d, the code %d", member, schemaName, documented, limit)
			}
		}
	}
}

// Every value that the document shows conforms to its own schema.
func TestEveryExampleConformsToItsSchema(t *testing.T) {
	document := apitest.Open(t)
	all := document.AllExamples()
	if len(all) < 75 {
		t.Fatalf("only %d examples were found", len(all))
	}
	for _, example := range all {
		if err := document.Conforms(example.Pointer, example.JSON); err != nil {
			t.Errorf("%v: %v", example, err)
		}
	}
}

// The document lists all currencies that there are.
func TestDocumentedCurrenciesAreThoseOfTheCode(t *testing.T) {
	documented := apitest.Open(t).Enum("Currency")
	var all []string
	for i := range 26 * 26 * 26 {
		code := string([]byte{byte('A' + i/26/26), byte('A' + i/26%26), byte('A' + i%26)})
		if _, ok := money.Lookup(code); ok {
			all = append(all, code)
		}
	}
	if !slices.Equal(documented, all) {
		t.Errorf("the document has %v, the code %v", documented, all)
	}
}

// A client that keeps to the patterns and lengths of the document is never refused for them, and one that does not is.
func TestDocumentedTextsAreThoseOfTheCode(t *testing.T) {
	document := apitest.Open(t)
	sound := func(check func(*input.Body, string)) func(string) bool {
		return func(s string) bool {
			var body input.Body
			check(&body, s)
			return body.Sound()
		}
	}
	taken := map[string]func(string) bool{
		"SKU":        func(s string) bool { return input.SKUFault(s) == "" },
		"NewSKU":     func(s string) bool { return input.NewSKUFault(s) == "" },
		"Location":   sound(func(b *input.Body, s string) { b.Location("/location", s) }),
		"Reference":  sound(func(b *input.Body, s string) { b.Text("/reference", s, limits.MaxReferenceLength) }),
		"Label":      func(s string) bool { return input.LabelFault(s, limits.MaxReasonLength) == "" },
		"ActorName":  func(s string) bool { return input.ActorFault(s) == "" },
		"OccurredAt": sound(func(b *input.Body, s string) { b.Time("/occurred_at", s) }),
		"Amount":     func(s string) bool { _, fault := input.ParseAmount(s); return fault == "" },
		"PositiveAmount": func(s string) bool {
			micros, fault := input.ParseAmount(s)
			return fault == "" && micros > 0
		},
		"PlaceOrder/properties/customer_id": sound(func(b *input.Body, s string) {
			b.Name("/customer_id", s, limits.MaxCustomerIDLength)
		}),
		"Currency": func(s string) bool { _, ok := money.Lookup(s); return ok },
	}
	pieces := rapid.SampledFrom([]string{"", "a", "A1", " ", "\t", "\x00", "\x7f", "\u0085", "\u0080", "\u00a0", "\u2028",
		"\u202e", "\u3000", "ä", "\U0001d11e", ".", "..", "GBP", "EUR", "eur", "0", "1", "12", "1000000000", "999999999",
		".0", ".5",
		".123456", ".1234567", "-", "+", "1e3", "1970", "2199", "2200", "1969", "-02-28", "-02-30", "T", "t", "12:50:00",
		"23:59:60", "24:00:00", "Z", "z", "+01:00", "+24:00", "2011-12-09T12:50:00", "0000001", strings.Repeat("x", 60),
		strings.Repeat("ä", 60), strings.Repeat("\U0001d11e", 190)})
	for schemaName, takes := range taken {
		rapid.Check(t, func(t *rapid.T) {
			text := strings.Join(rapid.SliceOfN(pieces, 0, 5).Draw(t, "pieces"), "")
			asJSON, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			err = document.Conforms("/components/schemas/"+schemaName, asJSON)
			if schemaName == "NewSKU" && limits.NameFault(text) != "" {
				err = errors.New("no pattern can say what Form C is, or what nobody sees")
			}
			if got := takes(text); got != (err == nil) {
				t.Fatalf("%s %q: the code takes it: %v; the document: %v", schemaName, text, got, err)
			}
		})
	}
}
