// Package problem has every refusal and failure that clients can get: its code, HTTP status, title, cause and remedy in
// one table, and the document (RFC 9457) that tells a client of one.
//
// It is a leaf: the write side, the read side and the HTTP side import it, and it imports none of them. It does not
// decide when a command is refused.
package problem

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/appendjson"
)

// Row is what all problems of one code share.
type Row struct {
	// Code names the problem for programs, such as "insufficient_stock".
	Code string
	// Status is the HTTP status.
	Status int
	// Title is one line for people, the same for all problems of the code.
	Title string
	// Cause says why clients get the problem, and Remedy what to do then. Both are sentences of docs/errors.md.
	Cause, Remedy string
}

var byCode = func() map[string]*Row {
	m := make(map[string]*Row, len(rows))
	for i := range rows {
		m[rows[i].Code] = &rows[i]
	}
	return m
}()

// ruleRefusal stands for a code that the table does not have: only a rule of the domain can be missing, and a test
// finds it.
var ruleRefusal = Row{Status: http.StatusConflict, Title: "The command is not allowed now"}

// Lookup returns the row of a code. ok is false where the table does not have it; the row is then that of a refusal by
// a rule.
func Lookup(code string) (row Row, ok bool) {
	if r := byCode[code]; r != nil {
		return *r, true
	}
	return ruleRefusal, false
}

// Rows returns the table, sorted by code.
func Rows() []Row {
	return slices.SortedFunc(slices.Values(rows), func(a, b Row) int { return strings.Compare(a.Code, b.Code) })
}

// Problem is one refusal or failure. The Code is stable; the Detail is for people and may change.
type Problem struct {
	Code   string
	Detail string
	// Status replaces the HTTP status of the Code; 0: it is that of the Code.
	Status int
	// Instance is the path of the request; empty: whoever writes the answer fills it in.
	Instance string
	// Errors point at the faults of the request, at most those of one body or query.
	Errors []FieldError
	// Short lists the SKUs that could not be reserved, with insufficient_stock and unknown_sku.
	Short []Short
	// OrderID names the order, where it was recorded before it was refused. Number is its number for people; 0: not known.
	OrderID string
	Number  uint64
	// CurrentStatus and Allowed are the order's status and the commands that it takes, with illegal_transition.
	CurrentStatus string
	Allowed       []string
	// CurrentVersion is the aggregate's version, with version_mismatch and count_outdated; CurrentOnHand is what the
	// location has, in units, with count_outdated.
	CurrentVersion uint64
	CurrentOnHand  *int64
	// Reached is the position of the view, with position_not_reached.
	Reached string
	// Scopes are those that the API key needs, all or one of them, with insufficient_scope.
	Scopes []string
	// Forceable is true where the same request with force is carried out.
	Forceable bool
	// RetryAfterSeconds is sent as Retry-After; 0: there is no such header.
	RetryAfterSeconds int
	// Reason is the error inside. It goes to the log, never to the client.
	Reason error
}

// FieldError points at one fault of a request.
type FieldError struct {
	// Pointer is a JSON Pointer (RFC 6901) into the body, such as "/lines/0/quantity"; of a query, "/" and the
	// parameter's name.
	Pointer string
	Detail  string
	// Line is the line of a definition that has the fault; 0: the fault has none.
	Line int
}

// Short is a SKU that could not be reserved. Quantities are units.
type Short struct {
	SKU       string
	Requested int64
	Available int64
	// Reason is a word of the schema's RejectionReason, such as "insufficient_stock".
	Reason string
}

// New returns a problem of a code.
func New(code, detail string) *Problem { return &Problem{Code: code, Detail: detail} }

// At returns a problem of one member of a request, which the pointer names.
func At(code, pointer, detail string) *Problem {
	return &Problem{Code: code, Detail: detail, Errors: []FieldError{{Pointer: pointer, Detail: detail}}}
}

// Error makes a Problem an error: the code, and the first fault or the detail.
func (p *Problem) Error() string {
	if len(p.Errors) > 0 && p.Errors[0].Pointer != "" {
		return p.Code + ": " + p.Errors[0].Pointer + ": " + p.Errors[0].Detail
	}
	return p.Code + ": " + p.Detail
}

// Unwrap returns the error inside.
func (p *Problem) Unwrap() error { return p.Reason }

// HTTPStatus is the status to answer with.
func (p *Problem) HTTPStatus() int {
	if p.Status != 0 {
		return p.Status
	}
	row, _ := Lookup(p.Code)
	return row.Status
}

// Of returns the Problem in err's chain. An error without one becomes a problem that hides what went wrong inside.
func Of(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return &Problem{Code: Internal, Detail: "The request could not be served; the log has the reason."}
}

// AppendJSON appends the problem document. Members that are empty are left out.
func (p *Problem) AppendJSON(b []byte) []byte {
	row, _ := Lookup(p.Code)
	b = append(b, `{"type":"/errors/`...)
	b = append(b, p.Code...)
	b = append(b, '"')
	b = appendjson.Member(b, "title", row.Title)
	b = appendjson.Int(b, "status", int64(p.HTTPStatus()))
	b = appendjson.Member(b, "code", p.Code)
	b = appendjson.Member(b, "detail", p.Detail)
	b = appendjson.Member(b, "instance", p.Instance)
	if len(p.Errors) > 0 {
		b = appendjson.Array(append(b, `,"errors":`...), p.Errors, appendFieldError)
	}
	if len(p.Short) > 0 {
		b = appendjson.Array(append(b, `,"short":`...), p.Short, appendShort)
	}
	b = appendjson.Member(b, "order_id", p.OrderID)
	if p.Number != 0 {
		b = appendjson.Uint(b, "number", p.Number)
	}
	b = appendjson.Member(b, "current_status", p.CurrentStatus)
	b = appendjson.Strings(b, "allowed", p.Allowed)
	if p.CurrentVersion != 0 {
		b = appendjson.Uint(b, "current_version", p.CurrentVersion)
	}
	if p.CurrentOnHand != nil {
		b = appendjson.Int(b, "current_on_hand", *p.CurrentOnHand)
	}
	b = appendjson.Member(b, "reached", p.Reached)
	b = appendjson.Strings(b, "scopes", p.Scopes)
	if p.Forceable {
		b = append(b, `,"forceable":true`...)
	}
	return append(b, '}')
}

func appendFieldError(b []byte, e FieldError) []byte {
	b = append(b, `{"pointer":`...)
	b = appendjson.String(b, e.Pointer)
	b = append(b, `,"detail":`...)
	b = appendjson.String(b, e.Detail)
	if e.Line > 0 {
		b = appendjson.Int(b, "line", int64(e.Line))
	}
	return append(b, '}')
}

func appendShort(b []byte, s Short) []byte {
	b = append(b, `{"sku":`...)
	b = appendjson.String(b, s.SKU)
	b = append(b, `,"requested":`...)
	b = strconv.AppendInt(b, s.Requested, 10)
	b = appendjson.Int(b, "available", s.Available)
	b = appendjson.Member(b, "reason", s.Reason)
	return append(b, '}')
}
