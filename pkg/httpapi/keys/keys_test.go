package keys

import (
	"errors"
	"testing"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/problem"
)

// TestAnExpiryIsATimeToCome: what a client sends where it has none must not make a key that is taken for ever.
func TestAnExpiryIsATimeToCome(t *testing.T) {
	for expiry, valid := range map[string]bool{
		``: true, `,"expires_at":"2999-01-01T00:00:00Z"`: true,
		`,"expires_at":""`: false, `,"expires_at":"0001-01-01T00:00:00Z"`: false,
		`,"expires_at":"2020-01-01T00:00:00Z"`: false,
		`,"expires_at":"tomorrow"`:             false,
	} {
		var n access.NewKey
		err := readBody([]byte(`{"name":"shop","scopes":["orders:read"]`+expiry+`}`), &n)
		p, _ := errors.AsType[*problem.Problem](err)
		if valid != (err == nil) || !valid && (p.Code != problem.InvalidAPIKey || p.Errors[0].Pointer != "/expires_at") {
			t.Errorf("%s: %v", expiry, err)
		}
	}
}
