package clickhouse

import (
	"strings"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// The embedded engine has no users to refuse and no disk to fill: these are a server's own words.
func TestRefusalsOfAServerHaveARemedy(t *testing.T) {
	c := &Conn{user: "projector", database: "holdfast"}
	for _, refusal := range []struct {
		code          int32
		message, want string
	}{
		{497, "projector: Not enough privileges. To execute this query, it's necessary to have the grant CREATE TABLE ON holdfast.events. (ACCESS_DENIED)", "GRANT CREATE TABLE ON holdfast.events TO projector"},
		{497, "denied", "GRANT SELECT, INSERT, ALTER, CREATE ON holdfast.* TO projector"},
		{243, "Cannot reserve 1.00 MiB, not enough space", "disk is full"},
		{241, "Memory limit (total) exceeded", "max_memory_usage"},
		{252, "Too many parts (3000)", "--flush-interval"},
		{516, "projector: Authentication failed", "password"},
		{1, "Unsupported method", "see its log"},
	} {
		err := c.explain(t.Context(), "insert into events", &driver.Exception{Code: refusal.code, Message: refusal.message})
		if !strings.Contains(err.Error(), refusal.want) {
			t.Errorf("code %d: it says %v, want %q", refusal.code, err, refusal.want)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{"25.3": true, "25.3.2.39": true, "26.1.1": true, "25.2.9": false, "24.12": false, "": false} {
		if atLeast(version, "25.3") != want {
			t.Errorf("%q", version)
		}
	}
}
