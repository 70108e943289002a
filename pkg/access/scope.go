package access

import (
	"fmt"
	"strings"
)

// Scopes is a set of scopes. A constant is the set of one.
type Scopes uint16

// The scopes.
const (
	OrdersWrite Scopes = 1 << iota
	OrdersRead
	StockWrite
	StockRead
	InsightsRead
	ReplaysAdmin
	ImportAdmin
	KeysAdmin
	AuditRead

	endOfScopes
)

// AllScopes has every scope.
const AllScopes = endOfScopes - 1

// scopeNames are the scopes as the API, the log and the command line write them, in the order of the constants.
var scopeNames = []string{
	"orders:write", "orders:read", "stock:write", "stock:read", "insights:read", "replays:admin", "import:admin",
	"keys:admin", "audit:read",
}

// ScopeNames are the names of all scopes.
func ScopeNames() []string { return AllScopes.Names() }

// Names are the names of the scopes in the set.
func (s Scopes) Names() []string {
	names := []string{}
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String has the names of the scopes, with commas.
func (s Scopes) String() string { return strings.Join(s.Names(), ",") }

// ParseScopes reads names of scopes. One that is not known is an error.
func ParseScopes(names []string) (Scopes, error) {
	var all Scopes
	for _, name := range names {
		one := scopeOf(name)
		if one == 0 {
			return 0, fmt.Errorf("there is no scope %q; the scopes are %s", name, strings.Join(scopeNames, ", "))
		}
		all |= one
	}
	return all, nil
}

// knownScopes are those that this program knows: a later release may have given a key more.
func knownScopes(names []string) (all Scopes) {
	for _, name := range names {
		all |= scopeOf(name)
	}
	return all
}

func scopeOf(name string) Scopes {
	for i, known := range scopeNames {
		if known == name {
			return 1 << i
		}
	}
	return 0
}
