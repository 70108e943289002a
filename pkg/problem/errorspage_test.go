package problem_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/problem"
)

var update = flag.Bool("update", false, "write docs/errors.md again")

var errorsHead = strings.ReplaceAll(`# Errors

Every refusal is a problem (RFC 9457, 'application/problem+json') with a stable 'code'; 'detail' is for people and may
change, 'errors' points into the body. Only 408, 429 and 503, and 500, are worth a retry, always with the same
Idempotency-Key; other refusals stay until something else changes. This page is made from the code:
'go test ./pkg/problem -update'.

| code | status | |
|---|---|---|
`, "'", "`")

// The page of errors has every code, with why it comes and what to do then.
func TestThePageOfErrorsIsUpToDate(t *testing.T) {
	var index, entries strings.Builder
	for _, row := range problem.Rows() {
		for what, text := range map[string]string{"cause": row.Cause, "remedy": row.Remedy} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s has no %s, or it is no sentence: %q", row.Code, what, text)
			}
		}
		fmt.Fprintf(&index, "| [%s](#%s) | %d | %s |\n", row.Code, row.Code, row.Status, row.Title)
		fmt.Fprintf(&entries, "\n## %s\n\n%d %s: %s.\n\n- **Why:** %s\n- **What to do:** %s\n",
			row.Code, row.Status, http.StatusText(row.Status), row.Title, row.Cause, row.Remedy)
	}
	page := errorsHead + index.String() + entries.String()
	file := filepath.Join("..", "..", "docs", "errors.md")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/errors.md is not what the code says: go test ./pkg/problem -update")
	}
}
