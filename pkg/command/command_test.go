package command

import (
	"net/http"
	"testing"
)

// Each row says all of a command, and no two rows say the same.
func TestRowsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		parameters := c.Parameters()
		switch {
		case seen[c.Type], seen[c.Method+c.Path+c.Action]:
			t.Errorf("%s is there twice", c.Type)
		case c.Unkeyed != (c.Method == http.MethodPut):
			t.Errorf("%s: a PUT needs no key, everything else does", c.Type)
		case c.Creates != (len(parameters) == 0):
			t.Errorf("%s: the path names what a command changes, unless it makes something new", c.Type)
		case c.Aggregate == Order && c.decodeOrder == nil, c.Aggregate == Stock && c.decodeStock == nil:
			t.Errorf("%s has no decoder", c.Type)
		case len(parameters) > 0 && parameters[0] != map[Aggregate]string{Order: "order_id", Stock: "sku"}[c.Aggregate]:
			t.Errorf("%s: its path names %v first", c.Type, parameters)
		case c.Status != http.StatusOK && c.Status != http.StatusCreated:
			t.Errorf("%s answers %d", c.Type, c.Status)
		}
		seen[c.Type], seen[c.Method+c.Path+c.Action] = true, true
		if found, ok := Lookup(c.Type); !ok || found != c {
			t.Errorf("%s is not found", c.Type)
		}
	}
}

// Commands share a route only where an action tells them apart.
func TestRoutesWithSeveralCommandsHaveActions(t *testing.T) {
	for _, r := range Routes() {
		for _, c := range r.Commands {
			if (c.Action != "") != (len(r.Commands) > 1) {
				t.Errorf("%s %s: %s has the action %q", r.Method, r.Path, c.Type, c.Action)
			}
		}
		if _, ok := actions[r.Path]; ok != (len(r.Commands) > 1) {
			t.Errorf("%s chooses by action: %v", r.Path, ok)
		}
	}
}
