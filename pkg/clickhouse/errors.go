package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// The codes of ClickHouse's exceptions that have a remedy of their own.
const (
	codeNoSuchColumn         = 16
	codeUnknownIdentifier    = 47
	codeUnknownTable         = 60
	codeCannotWrite          = 75
	codeUnknownDatabase      = 81
	codeTooManyRows          = 158
	codeTimeoutExceeded      = 159
	codeReadOnly             = 164
	codeUnknownUser          = 192
	codeWrongPassword        = 193
	codeRequiredPassword     = 194
	codeTooManyQueries       = 202
	codeSocketTimeout        = 209
	codeNetwork              = 210
	codeMemoryLimit          = 241
	codeTableReadOnly        = 242
	codeNotEnoughSpace       = 243
	codeTooManyParts         = 252
	codeTooFewReplicas       = 285
	codeQuorumBusy           = 286
	codeReplicaBehind        = 289
	codeUnknownInsert        = 319
	codeConstraint           = 469
	codeAccessDenied         = 497
	codeAuthenticationFailed = 516
)

const (
	rightCredentials = "user or password is wrong: set them in the address of ClickHouse"
	missingColumn    = "a column is missing: the table was changed by hand, or is older than this program; " +
		"start analytics-projector of this version, and if it says that the table was changed, " +
		"`holdfast mirror rebuild` fills all of them again"
	shorterTime = "ask for a shorter time (from, to)"
)

// remedies say what to do about an exception of ClickHouse, by its code.
var remedies = map[int32]string{
	codeNoSuchColumn:      missingColumn,
	codeUnknownIdentifier: missingColumn,
	codeUnknownTable: "a table is missing: start analytics-projector, it makes them; " +
		"if somebody dropped one, `holdfast mirror rebuild` fills all of them again",
	codeCannotWrite: "ClickHouse cannot write to its disk: see that it is there and not full; " +
		"the mirror goes on by itself",
	codeUnknownDatabase: "the database is missing: start analytics-projector with a user that may create it, " +
		"or create it with ENGINE = Atomic",
	codeTooManyRows:     "the query reads more rows than it may: " + shorterTime,
	codeTimeoutExceeded: "the query took too long: " + shorterTime + ", or raise the user's max_execution_time",
	codeReadOnly: "the user is read-only: analytics-projector needs one that may write, " +
		"query-api one with readonly = 2 or 0",
	codeUnknownUser:      rightCredentials,
	codeWrongPassword:    rightCredentials,
	codeRequiredPassword: rightCredentials,
	codeTooManyQueries:   "the server is full of queries: wait, or raise max_concurrent_queries",
	codeSocketTimeout: "ClickHouse waited in vain for the other side: " +
		"see that the network and its disks are not overloaded; what was tried is tried again",
	codeNetwork: "ClickHouse lost a connection: see the network, and the other nodes if it has any; " +
		"what was tried is tried again",
	codeMemoryLimit: "ClickHouse has not the memory for it: " + shorterTime +
		", let analytics-projector write smaller batches with --flush-rows, " +
		"or raise max_memory_usage and max_server_memory_usage",
	codeTableReadOnly:  "the table is read-only: its replica has lost its Keeper, or its disk is read-only",
	codeNotEnoughSpace: "ClickHouse's disk is full: free space or add a disk; the mirror goes on by itself",
	codeTooManyParts: "merges do not keep up: see system.merges and the disk, " +
		"or let analytics-projector flush less often with --flush-interval",
	codeTooFewReplicas: "less than a majority of its replicas is there: start them; " +
		"the mirror goes on by itself, and reads go on",
	codeQuorumBusy: "another insert into the table did not reach a majority of the replicas in time: " +
		"see that all of them run, and have room on their disks; what was tried is tried again",
	codeReplicaBehind: "the replica is behind the others: see system.replication_queue there; " +
		"what was tried is tried again",
	codeUnknownInsert: "it is not known whether a majority of the replicas has the rows: " +
		"they are written again, which does no harm",
	codeConstraint: "a constraint of the table refuses the rows; that of " + fenceName + " does while a rebuilt mirror " +
		"takes the table's place, for seconds: what was tried is tried again",
	codeAuthenticationFailed: rightCredentials,
}

// Error is a failed operation, with what to do about it.
type Error struct {
	// Code is the code of ClickHouse's exception; 0 when ClickHouse did not answer.
	Code int32
	// Remedy says what to do.
	Remedy string
	Err    error
	// op is the operation that failed, such as "insert into orders".
	op string
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

// grantPattern finds the missing grant in the text of an exception.
var grantPattern = regexp.MustCompile(`(?:have the grant|requires? (?:the )?grant) (.+?)(?:\. \(|\. Access|$|: While)`)

// oldPattern is the form of an exception over HTTP up to 2020. The driver cannot parse it.
var oldPattern = regexp.MustCompile(`Code: (\d+), e\.displayText\(\) = DB::Exception: (.*?), e\.what\(\)`)

// explain turns an error of the driver into an *Error with a remedy. When the context has ended, the result wraps the
// context's error instead.
func (c *Conn) explain(ctx context.Context, op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	c.count(op)
	if ctx.Err() != nil { // the driver has several errors for this; return one
		return fmt.Errorf("ClickHouse at %s was not done in time to %s: %w", c.address, op, ctx.Err())
	}
	var exception *driver.Exception
	if !errors.As(err, &exception) {
		return &Error{op: op, Err: err, Remedy: c.unreachable(err)}
	}
	e := &Error{op: op, Code: exception.Code, Err: errors.New(exception.Message), Remedy: remedies[exception.Code]}
	switch {
	case exception.Code == codeAccessDenied:
		e.Remedy = fmt.Sprintf("the user %q lacks a grant: GRANT %s TO %s",
			c.user, grantOf(exception.Message, c.database), c.user)
	case e.Remedy == "":
		e.Remedy = "see its log"
	}
	return e
}

// unreachable says what to do when ClickHouse did not answer, or not as one of a supported version does.
func (c *Conn) unreachable(err error) string {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	if old := oldPattern.FindStringSubmatch(err.Error()); old != nil {
		if code, _ := strconv.ParseInt(old[1], 10, 32); remedies[int32(code)] == rightCredentials {
			return fmt.Sprintf("ClickHouse at %s: %s", c.address, rightCredentials)
		}
		return fmt.Sprintf("ClickHouse at %s is too old: Holdfast needs %s or newer", c.address, MinVersion)
	}
	switch {
	case errors.As(err, &certificate):
		return fmt.Sprintf("the certificate of ClickHouse at %s is not to be trusted: "+
			"name the CA's file in the address, ?%s=FILE, and the host as the certificate does", c.address, caParameter)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("ClickHouse at %s speaks no TLS there: give the port that does "+
			"(8443 for https://, 9440 for clickhouse:// with secure=true), or leave TLS out of the address", c.address)
	}
	return fmt.Sprintf("ClickHouse at %s does not answer: see that it runs and that the address is right, "+
		"http:// for the HTTP port (8123) or clickhouse:// for the native one (9000)", c.address)
}

// grantOf is the grant that an exception says is missing, or all that a projector needs when it does not say.
func grantOf(message, database string) string {
	if m := grantPattern.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return "SELECT, INSERT, ALTER, CREATE ON " + database + ".*"
}

// Missing is the error for a table that does not exist. IsMissing is true for it.
func (c *Conn) Missing(table string) error {
	return &Error{
		op: "query", Code: codeUnknownTable, Remedy: remedies[codeUnknownTable],
		Err: fmt.Errorf("database %s has no table %s", c.database, table),
	}
}

// IsMissing reports whether the error says that a table, or the database, does not exist.
func IsMissing(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == codeUnknownTable || e.Code == codeUnknownDatabase)
}

// IsDenied reports whether ClickHouse has refused something that the user may not do.
func IsDenied(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == codeAccessDenied
}

// IsTooMuch reports whether the error says that a query needed more time, rows or memory than it may take.
func IsTooMuch(err error) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains([]int32{codeTooManyRows, codeTimeoutExceeded, codeMemoryLimit}, e.Code)
}
