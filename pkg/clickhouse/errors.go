package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Codes of ClickHouse's exceptions that have a remedy of their own.
const (
	codeUnknownTable         = 60
	codeUnknownDatabase      = 81
	codeTimeoutExceeded      = 159
	codeReadOnly             = 164
	codeTooManyQueries       = 202
	codeMemoryLimit          = 241
	codeTableReadOnly        = 242
	codeNotEnoughSpace       = 243
	codeTooManyParts         = 252
	codeAccessDenied         = 497
	codeAuthenticationFailed = 516
	codeCannotWrite          = 75
	codeNoSuchColumn         = 16
)

// remedies say what to do, by code.
var remedies = map[int32]string{
	codeUnknownTable:         "a table is missing: start analytics-projector, it makes them; if somebody dropped one, `holdfast mirror rebuild` fills all of them again",
	codeUnknownDatabase:      "the database is missing: start analytics-projector with a user that may create it, or create it with ENGINE = Atomic",
	codeTimeoutExceeded:      "the query took too long: ask for a shorter time, or raise the user's max_execution_time",
	codeReadOnly:             "the user is read-only: analytics-projector needs one that may write, query-api one with readonly = 2 or 0",
	codeTooManyQueries:       "the server is full of queries: wait, or raise max_concurrent_queries",
	codeMemoryLimit:          "the query needs more memory than it may have: ask for a shorter time, or raise max_memory_usage",
	codeTableReadOnly:        "the table is read-only: its replica has lost its Keeper, or its disk is read-only",
	codeNotEnoughSpace:       "ClickHouse's disk is full: free space or add a disk; the mirror goes on by itself",
	codeCannotWrite:          "ClickHouse cannot write to its disk: see that it is there and not full; the mirror goes on by itself",
	codeTooManyParts:         "merges do not keep up: see system.merges and the disk, or let analytics-projector flush less often with --flush-interval",
	codeAuthenticationFailed: "user or password is wrong: set them in the address of ClickHouse",
	codeNoSuchColumn:         "a column is missing: the table was changed by hand, or is older than this program",
}

// Error is what ClickHouse refused, with what to do about it.
type Error struct {
	// Code is ClickHouse's own, 0 when nobody answered.
	Code   int32
	Remedy string
	Err    error
	op     string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("%s: %s: %v", e.Remedy, e.op, e.Err)
	}
	return fmt.Sprintf("ClickHouse refuses to %s: %s (code %d: %v)", e.op, e.Remedy, e.Code, e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *Error) Unwrap() error { return e.Err }

// grantPattern finds the grant in ClickHouse's own words.
var grantPattern = regexp.MustCompile(`(?:have the grant|requires? (?:the )?grant) (.+?)(?:\. \(|\. Access|$|: While)`)

// explain adds what to do. The end of the caller's patience is returned as it is.
func (c *Conn) explain(op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var exception *driver.Exception
	if !errors.As(err, &exception) {
		return &Error{op: op, Err: err, Remedy: fmt.Sprintf("ClickHouse at %s does not answer: see that it runs and that the address is right", c.address)}
	}
	e := &Error{op: op, Code: exception.Code, Err: errors.New(exception.Message), Remedy: remedies[exception.Code]}
	switch {
	case exception.Code == codeAccessDenied:
		e.Remedy = fmt.Sprintf("the user %q lacks a grant: GRANT %s TO %s", c.user, grantOf(exception.Message, c.database), c.user)
	case e.Remedy == "":
		e.Remedy = "see its log"
	}
	return e
}

func grantOf(message, database string) string {
	if m := grantPattern.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return "SELECT, INSERT, ALTER, CREATE ON " + database + ".*"
}

// Missing is the error for a table that is not there.
func (c *Conn) Missing(table string) error {
	return &Error{op: "query", Code: codeUnknownTable, Remedy: remedies[codeUnknownTable], Err: fmt.Errorf("database %s has no table %s", c.database, table)}
}

// IsMissing reports whether the error says that a table or the database is not there.
func IsMissing(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == codeUnknownTable || e.Code == codeUnknownDatabase)
}
