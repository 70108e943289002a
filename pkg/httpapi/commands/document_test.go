package commands

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/limits"
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
		if op.Method == http.MethodGet || op.ID == "getAvailabilities" {
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
				// unknown_sku is 404 for stock and 409 for orders.
				if row, _ := problem.Lookup(code); row.Status != status && code != "unknown_sku" {
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
		"sku": limits.MaxSKUBytes, "location": limits.MaxLocationBytes, "customer_id": limits.MaxCustomerIDBytes,
		"country": limits.MaxCountryBytes, "reference": limits.MaxReferenceBytes, "reason": limits.MaxReasonBytes,
		"description": limits.MaxDescriptionBytes, "tracking_reference": limits.MaxReferenceBytes,
	} {
		for schemaName, documented := range document.MaxLengths(member) {
			if documented != limit {
				t.Errorf("%s of %s: the document allows %d characters, the code %d bytes", member, schemaName, documented, limit)
			}
		}
	}
	for schemaName, documented := range document.MaxItems("lines") {
		if documented != limits.MaxLines {
			t.Errorf("lines of %s: the document allows %d, the code %d", schemaName, documented, limits.MaxLines)
		}
	}
}
