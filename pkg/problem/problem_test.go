package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/problem"
)

// constants are the codes that a file declares: names that begin with prefix.
func constants(t *testing.T, file, prefix string) (codes []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			code, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) == 0 {
		t.Fatalf("%s declares no codes", file)
	}
	return codes
}

// Every code that the rules can give, and every code that Go code names, has its row.
func TestEveryCodeHasARow(t *testing.T) {
	for file, prefix := range map[string]string{
		"codes.go": "", "../order/errors.go": "Code", "../inventory/errors.go": "Code",
	} {
		for _, code := range constants(t, file, prefix) {
			if _, ok := problem.Lookup(code); !ok {
				t.Errorf("%s: %s is not in the table", file, code)
			}
		}
	}
	seen := map[string]bool{}
	for _, row := range problem.Rows() {
		if row.Status < 400 || row.Title == "" || seen[row.Code] {
			t.Errorf("%s: status %d, title %q, there already: %v", row.Code, row.Status, row.Title, seen[row.Code])
		}
		seen[row.Code] = true
	}
}

func TestTheDocumentOfAProblem(t *testing.T) {
	onHand := int64(3)
	p := &problem.Problem{
		Code: "insufficient_stock", Detail: "not every line can be had", Instance: "/v1/orders", OrderID: "o", Number: 15,
		Errors:        []problem.FieldError{{Pointer: "/lines/0", Detail: "a \"quote\""}},
		Short:         []problem.Short{{SKU: "A1", Requested: 2, Available: 1, Reason: "insufficient_stock"}, {SKU: "A2"}},
		CurrentStatus: "placed", Allowed: []string{"cancel",
			"hold"}, CurrentVersion: 7, CurrentOnHand: &onHand, Reached: "i0.1",
	}
	const want = `{"type":"/errors/insufficient_stock","title":"Not enough stock","status":409,` +
		`"code":"insufficient_stock","detail":"not every line can be had","instance":"/v1/orders",` +
		`"errors":[{"pointer":"/lines/0","detail":"a \"quote\""}],` +
		`"short":[{"sku":"A1","requested":2,"available":1,"reason":"insufficient_stock"},{"sku":"A2","requested":0,` +
		`"available":0}],` +
		`"order_id":"o","number":15,"current_status":"placed","allowed":["cancel","hold"],"current_version":7,` +
		`"current_on_hand":3,"reached":"i0.1"}`
	if got := string(p.AppendJSON(nil)); got != want || !json.Valid([]byte(got)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatWentWrongInsideIsNotTold(t *testing.T) {
	inside := errors.New("disk full")
	p := problem.Of(fmt.Errorf("save: %w", inside))
	if p.Code != problem.Internal || strings.Contains(string(p.AppendJSON(nil)), "disk") {
		t.Errorf("got %s", p.AppendJSON(nil))
	}
	known := &problem.Problem{Code: problem.Unavailable, Reason: inside}
	if got := problem.Of(fmt.Errorf("report: %w", known)); got != known || !errors.Is(got, inside) {
		t.Errorf("got %v", got)
	}
}
