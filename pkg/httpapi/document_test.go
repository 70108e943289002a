package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// What the document shows as a body is taken as it stands.
func TestEveryDocumentedExampleIsTaken(t *testing.T) {
	s := newSite(t, &desk{})
	fill := strings.NewReplacer("{order_id}", someOrder, "{sku}", "A1", "{fulfilment_id}", "f", "{return_id}", "r", "{transfer_id}", "t")
	sent := 0
	for _, op := range apitest.Open(t).Operations() {
		if op.Method == http.MethodGet || op.ID == "getAvailabilities" {
			continue
		}
		if len(op.Examples) == 0 {
			t.Errorf("%s shows no body", op.ID)
		}
		for name, body := range op.Examples {
			r := s.do(t, op.Method, fill.Replace(op.Path), body, "Content-Type: "+op.MediaType)
			if sent++; r.status >= http.StatusMultipleChoices || strings.Contains(r.body, `"problem"`) {
				t.Errorf("%s, %s: %d %s", op.ID, name, r.status, r.body)
			}
		}
	}
	if sent < len(command.Types())-len([]string{"void", "fail", "start", "capture", "refund"})-1 {
		t.Errorf("only %d examples", sent)
	}
}

// A code that an operation lists is one that there is, with that status; and every refusal by a rule is listed.
func TestDocumentedCodesAreThoseOfTheCode(t *testing.T) {
	listed := map[string]bool{}
	for _, op := range apitest.Open(t).Operations() {
		for status, codes := range op.Codes {
			for _, code := range codes {
				listed[code] = true
				if !slices.Contains(command.Codes(), code) {
					t.Errorf("%s: there is no code %s", op.ID, code)
				}
				// unknown_sku is 404 for stock and 409 for orders.
				if kind := command.KindOf(code); kind.Status != status && code != "unknown_sku" {
					t.Errorf("%s: %s is %d, not %d", op.ID, code, kind.Status, status)
				}
			}
		}
	}
	// These have no operation, or stand on a line of bulk alone.
	elsewhere := []string{"not_found", "method_not_allowed", "internal", "invalid_step", "invalid_line", "unknown_command", "line_too_long"}
	// These are refused before the rules are asked: an API makes its IDs by itself.
	never := []string{"invalid_order_id", "invalid_kind"}
	for _, code := range command.Codes() {
		if !listed[code] && !slices.Contains(elsewhere, code) && !slices.Contains(never, code) {
			t.Errorf("no operation lists %s", code)
		}
	}
}
