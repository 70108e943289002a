package clickhouse

import (
	"fmt"
	"strings"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Each code that a user may see has a remedy. The embedded engine has no users and its disk does not fill up, so the
// messages here were copied from a real server.
func TestRefusalsOfAServerHaveARemedy(t *testing.T) {
	c := &Conn{user: "projector", database: "holdfast"}
	for _, refusal := range []struct {
		code          int32
		message, want string
	}{
		{16, "No such column beaks in table holdfast.events", "a column is missing"},
		{
			47, "Unknown expression or function identifier `country` in scope SELECT country FROM order_lines",
			"a column is missing",
		},
		{60, "Table holdfast.events does not exist", "start analytics-projector, it makes them"},
		{75, "Cannot write to file", "cannot write to its disk"},
		{81, "Database holdfast does not exist", "create it with ENGINE = Atomic"},
		{159, "Timeout exceeded: elapsed 5.1 seconds", "ask for a shorter time"},
		{164, "projector: Cannot execute query in readonly mode", "read-only"},
		{192, "Unknown user projector", "user or password is wrong"},
		{193, "Wrong password for user projector", "user or password is wrong"},
		{194, "Password required for user projector", "user or password is wrong"},
		{202, "Too many simultaneous queries. Maximum: 100", "max_concurrent_queries"},
		{209, "Timeout exceeded while reading from socket", "network"},
		{210, "Connection reset by peer", "network"},
		{241, "Memory limit (total) exceeded", "--flush-rows"},
		{242, "Table is in readonly mode", "Keeper"},
		{243, "Cannot reserve 1.00 MiB, not enough space", "disk is full"},
		{252, "Too many parts (3000)", "--flush-interval"},
		{469, "Constraint `swap_fence` for table holdfast.events is violated at row 1", "a rebuilt mirror takes"},
		{
			497, "projector: Not enough privileges. To execute this query, " +
				"it's necessary to have the grant CREATE TABLE ON holdfast.events. (ACCESS_DENIED)",
			"GRANT CREATE TABLE ON holdfast.events TO projector",
		},
		{497, "denied", "GRANT SELECT, INSERT, ALTER, CREATE ON holdfast.* TO projector"},
		{516, "projector: Authentication failed", "user or password is wrong"},
		{1, "Unsupported method", "see its log"},
	} {
		exception := &driver.Exception{Code: refusal.code, Message: refusal.message}
		err := c.explain(t.Context(), "insert into events", exception)
		if !strings.Contains(err.Error(), refusal.want) {
			t.Errorf("code %d: it says %v, want %q", refusal.code, err, refusal.want)
		}
	}
}

// Over HTTP, servers up to 2020 sent exceptions in a form that the driver cannot parse.
func TestRefusalsOfOldServersAreRead(t *testing.T) {
	c := &Conn{address: "host:8123"}
	for text, want := range map[string]string{
		"Code: 115, e.displayText() = DB::Exception: Unknown setting client_protocol_version, " +
			"e.what() = DB::Exception": "host:8123 is too old: Holdfast needs 25.3",
		"Code: 193, e.displayText() = DB::Exception: Wrong password for user holdfast, " +
			"e.what() = DB::Exception": "user or password is wrong",
		"502 Bad Gateway": "does not answer",
	} {
		err := c.explain(t.Context(), "connect", fmt.Errorf("[HTTP 404] response body: %q", text))
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %q", err, want)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"25.3": true, "25.3.2.39": true, "26.1.1": true, "25.2.9": false, "24.12": false, "": false,
	} {
		if atLeast(version, "25.3") != want {
			t.Errorf("%q", version)
		}
	}
}
