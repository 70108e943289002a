package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
)

// The table of operations is that of the OpenAPI document: the same operations, each with the same scopes. The document
// has the scopes that there are.
func TestTheTableIsThatOfTheDocument(t *testing.T) {
	document := apitest.Open(t)
	var documented []string
	for _, op := range document.Operations() {
		documented = append(documented, op.Method+" "+op.Path)
		need, ok := access.NeedOf(op.Method, op.Path)
		var wanted access.Need
		for _, names := range op.Scopes {
			set, err := access.ParseScopes(names)
			if err != nil {
				t.Errorf("%s: %v", op.ID, err)
			}
			wanted = append(wanted, set)
		}
		if !ok || !slices.Equal(need, wanted) {
			t.Errorf("%s needs %v in the code, and %v in schemas/openapi.yaml", op.ID, need, op.Scopes)
		}
		if strings.HasPrefix(op.Path, "/v1/") == need.IsNothing() {
			t.Errorf("%s needs %v: all below /v1 needs a key, and nothing else does", op.ID, need)
		}
	}
	if slices.Sort(documented); !slices.Equal(documented, access.Operations()) {
		t.Errorf("the operations are\n%v\nin schemas/openapi.yaml, and\n%v\nin the code", documented, access.Operations())
	}
	if words := document.Enum("Scope"); !slices.Equal(words, access.ScopeNames()) {
		t.Errorf("schemas/openapi.yaml has the scopes %v, the code %v", words, access.ScopeNames())
	}
}

// A route names its parameters otherwise than the document, and HEAD needs what GET does.
func TestRoutesFindTheirRow(t *testing.T) {
	for _, test := range []struct {
		method, path string
		need         string
		ok           bool
	}{
		{"GET", "/v1/orders/:order_id", "orders:read", true},
		{"HEAD", "/v1/orders/{order_id}", "orders:read", true},
		{"GET", "/readyz", "", true},
		{"PATCH", "/v1/orders/:order_id", "", false},
		{"GET", "/v1/orders/:id", "", false},
		{"POST", "/v1/commands", "orders:write or stock:write or import:admin", true},
		{"GET", "/v1/events", "orders:read and stock:read", true},
	} {
		if need, ok := access.NeedOf(test.method, test.path); need.String() != test.need || ok != test.ok {
			t.Errorf("%s %s: %v %v", test.method, test.path, need, ok)
		}
	}
}

func TestScopesHaveNames(t *testing.T) {
	all, err := access.ParseScopes(access.ScopeNames())
	if err != nil || all != access.AllScopes || !slices.Equal(all.Names(), access.ScopeNames()) {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := access.ParseScopes([]string{"orders:write", "orders:*"}); err == nil ||
		!strings.Contains(err.Error(), `"orders:*"`) || !strings.Contains(err.Error(), "audit:read") {
		t.Errorf("%v", err)
	}
	if two := access.OrdersRead | access.StockRead; two.String() != "orders:read,stock:read" {
		t.Errorf("%v", two)
	}
}

// An operation that needs two scopes is allowed by both alone, one that takes either by each.
func TestNeedsAreMet(t *testing.T) {
	both, either := access.Need{access.OrdersRead | access.StockRead}, access.Need{access.OrdersRead, access.StockRead}
	for _, test := range []struct {
		scopes       access.Scopes
		both, either bool
	}{
		{access.OrdersRead, false, true}, {access.StockRead, false, true}, {access.OrdersRead | access.StockRead, true, true},
		{access.AllScopes, true, true}, {access.OrdersWrite, false, false}, {0, false, false},
	} {
		if both.Allows(test.scopes) != test.both || either.Allows(test.scopes) != test.either {
			t.Errorf("%v: both %v, either %v", test.scopes, both.Allows(test.scopes), either.Allows(test.scopes))
		}
	}
}

func TestModesAreChecked(t *testing.T) {
	for word, want := range map[string]access.Mode{"": access.Off, "off": access.Off, "keys": access.ByKey} {
		if mode, err := access.ParseMode(word); mode != want || err != nil {
			t.Errorf("%q: %q, %v", word, mode, err)
		}
	}
	if _, err := access.ParseMode("on"); err == nil || err.Error() != "--access on is not known: it is one of off, keys" {
		t.Errorf("%v", err)
	}
}
