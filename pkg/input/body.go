// Package input reads what clients send: strict JSON, the limits of every member (pkg/limits), and the faults that a
// body has, each with a pointer to its member.
//
// It knows neither commands nor queries: both sides of the API use it, each for bodies of its own.
package input

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Body is one JSON body that is being decoded. Its methods check members, note faults and go on, so that a client
// learns of all faults at once:
//
//	var b struct { SKU string `json:"sku"`; Quantity int64 `json:"quantity"` }
//	body := input.Body{JSON: raw}
//	if body.Read(&b) {
//		body.Quantity("/quantity", b.Quantity)
//	}
//	return body.Problem()
type Body struct {
	JSON   []byte
	code   string
	faults []problem.FieldError
}

// Fault notes what is wrong with the member at a JSON Pointer. The code of the first fault is the problem's.
func (b *Body) Fault(code, pointer, detail string) {
	if b.code == "" {
		b.code = code
	}
	if len(b.faults) < limits.MaxFieldErrors {
		b.faults = append(b.faults, problem.FieldError{Pointer: pointer, Detail: detail})
	}
}

// Invalid notes a fault under the code "invalid_" and the member's name, such as invalid_reference.
func (b *Body) Invalid(pointer, detail string) {
	b.Fault("invalid_"+pointer[strings.LastIndexByte(pointer, '/')+1:], pointer, detail)
}

// Missing notes that a required member is absent.
func (b *Body) Missing(pointer string) { b.Fault(problem.MissingField, pointer, "is required") }

// Sound reports whether no fault has been noted so far.
func (b *Body) Sound() bool { return b.code == "" }

// Problem is nil, or a *problem.Problem with all faults.
func (b *Body) Problem() error {
	if b.code == "" {
		return nil
	}
	return &problem.Problem{Code: b.code, Detail: b.faults[0].Detail, Errors: b.faults}
}

var strict = json.JoinOptions(json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(wholeNumber)))

// Read decodes the body strictly: a member that into does not have, one that is there twice, and null are faults. No
// body at all is the same as {}. It returns false when it has noted a fault.
func (b *Body) Read(into any) bool {
	body := bytes.TrimLeft(b.JSON, " \t\r\n")
	switch {
	case len(body) == 0:
		return true
	case body[0] != '{' && jsontext.Value(body).IsValid():
		b.Fault(problem.WrongType, "", "must be a JSON object")
		return false
	}
	if err := unmarshal(body, into); err != nil {
		b.Fault(explain(err))
		return false
	}
	return true
}

// ReadLine decodes one line of JSON as strictly as Read does a body. The error is a *problem.Problem.
func ReadLine(line []byte, into any) error {
	if err := unmarshal(line, into); err != nil {
		code, pointer, detail := explain(err)
		return problem.At(code, pointer, detail)
	}
	return nil
}

// unmarshal refuses null wherever it stands: the JSON package would take it for a member that is absent.
func unmarshal(text []byte, into any) error {
	if err := json.Unmarshal(text, into, strict); err != nil || !bytes.Contains(text, []byte("null")) {
		return err
	}
	tokens := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		switch token, err := tokens.ReadToken(); {
		case err != nil: // the end: the text is well-formed
			return nil
		case token.Kind() == 'n':
			return &nullError{tokens.StackPointer()}
		}
	}
}

// nullError says where a body has null.
type nullError struct{ pointer jsontext.Pointer }

func (*nullError) Error() string { return "is null" }

// wholeNumber reads an integer as JSON Schema has it: a number without a fraction, however it is written. 2.0 and 2e3
// are integers.
func wholeNumber(decoder *jsontext.Decoder, into *int64) error {
	if decoder.PeekKind() != '0' {
		return errors.ErrUnsupported // what stands there is no number: the JSON package says so
	}
	text, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	if *into, err = strconv.ParseInt(string(text), 10, 64); err != nil {
		*into, err = strconv.ParseInt(plainInteger(string(text)), 10, 64)
	}
	return err
}

// maxInt64Digits is how many digits the largest int64 has.
const maxInt64Digits = 19

// plainInteger writes a JSON number without fraction and exponent; a number that is not whole, or beyond int64, is
// returned as it is.
func plainInteger(number string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimRight(whole+fraction, "0")
	if digits == "" || digits == "-" {
		return "0"
	}
	shift, err := strconv.Atoi(exponent)
	if exponent != "" && err != nil {
		return number
	}
	shift += len(whole) - len(digits) // how many zeros follow the digits
	if shift < 0 || len(digits)+shift > maxInt64Digits+len("-") {
		return number
	}
	return digits + strings.Repeat("0", shift)
}

// explain words an error of the JSON package.
func explain(err error) (code, pointer, detail string) {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return problem.DuplicateField, string(syntax.JSONPointer), "is there twice"
		}
		return problem.MalformedJSON, string(syntax.JSONPointer),
			"is not well-formed JSON at byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	}
	if null, ok := errors.AsType[*nullError](err); ok {
		return problem.WrongType, string(null.pointer), "must not be null: leave it out"
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return problem.MalformedJSON, "", "is not well-formed JSON"
	case errors.Is(err, json.ErrUnknownName):
		return problem.UnknownField, string(semantic.JSONPointer), "is not a member of this body"
	}
	return problem.WrongType, string(semantic.JSONPointer), "must be " + jsonKind(semantic.GoType)
}

// jsonKind is the JSON that a Go type is read from, in words.
func jsonKind(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "of another type"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Uint64:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "an array"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "an object"
}
