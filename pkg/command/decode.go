package command

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// Options are the settings that decide what a body means.
type Options struct {
	// PaymentWindow is how long a prepaid order may wait for its payment; 0: DefaultPaymentWindow.
	PaymentWindow time.Duration
}

// DefaultPaymentWindow is how long a prepaid order may wait for its payment.
const DefaultPaymentWindow = 24 * time.Hour

// Decode turns a command's JSON into the domain's command. It is a function of its arguments alone, so
// that any replica decodes the same body alike. Errors are a *Problem.
func Decode(typ, id, key string, body []byte, receivedAtMicros int64, opts Options) (order.Command, inventory.Command, int64, error) {
	d := decoding{typ: typ, id: id, key: key, body: body, receivedAtMicros: receivedAtMicros, opts: opts}
	info, ok := Lookup(typ)
	switch {
	case !ok:
		return nil, nil, 0, &Problem{Code: CodeUnknownCommand, Detail: "There is no command " + strconv.Quote(typ) + "."}
	case info.Aggregate == Order:
		cmd := d.orderCommand()
		if err := d.problem(); err != nil {
			return nil, nil, 0, err
		}
		return cmd, nil, d.occurredAtMicros, nil
	default:
		cmd := d.stockCommand()
		if err := d.problem(); err != nil {
			return nil, nil, 0, err
		}
		return nil, cmd, d.occurredAtMicros, nil
	}
}

// decoding is one body on its way to a command. The checks note faults and go on, so that a client
// learns of all of them at once.
type decoding struct {
	typ, id, key     string
	body             []byte
	receivedAtMicros int64
	occurredAtMicros int64
	opts             Options
	code             string
	faults           []FieldError
}

// fault notes what is wrong; the first one's code is the problem's.
func (d *decoding) fault(code, pointer, detail string) {
	if d.code == "" {
		d.code = code
	}
	if len(d.faults) < MaxFieldErrors {
		d.faults = append(d.faults, FieldError{pointer, detail})
	}
}

// invalid notes a fault under the code that the domain gives too: invalid_ and the member's name.
func (d *decoding) invalid(pointer, detail string) {
	d.fault("invalid_"+pointer[strings.LastIndexByte(pointer, '/')+1:], pointer, detail)
}

func (d *decoding) problem() error {
	if d.code == "" {
		return nil
	}
	return &Problem{Code: d.code, Detail: d.faults[0].Detail, Errors: d.faults}
}

var strict = json.JoinOptions(json.RejectUnknownMembers(true))

// read decodes the body strictly; false means that the fault is noted.
func (d *decoding) read(into any) bool {
	body := bytes.TrimLeft(d.body, " \t\r\n")
	switch {
	case len(body) == 0:
		return true // as {}: commands without required members need no body
	case body[0] != '{' && jsontext.Value(body).IsValid():
		d.fault(CodeWrongType, "", "must be a JSON object")
		return false
	}
	if err := json.Unmarshal(body, into, strict); err != nil {
		d.unreadable(err)
		return false
	}
	return true
}

func (d *decoding) unreadable(err error) {
	code, pointer, detail := explain(err)
	d.fault(code, pointer, detail)
}

// explain words an error of the JSON package.
func explain(err error) (code, pointer, detail string) {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return CodeDuplicateField, string(syntax.JSONPointer), "is there twice"
		}
		return CodeMalformedJSON, string(syntax.JSONPointer), "is not well-formed JSON at byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	}
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return CodeMalformedJSON, "", "is not well-formed JSON"
	case errors.Is(err, json.ErrUnknownName):
		return CodeUnknownField, string(semantic.JSONPointer), "is not a member of this body"
	}
	return CodeWrongType, string(semantic.JSONPointer), "must be " + wanted(semantic.GoType)
}

func wanted(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "of another type"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Uint64:
		return "a whole number, not a string, fraction or exponent"
	case t.Kind() == reflect.Slice:
		return "an array"
	}
	return "an object"
}

// text checks a string that may be empty: its length, and that no control characters hide in it.
func (d *decoding) text(pointer, s string, maxBytes int) string {
	switch {
	case len(s) > maxBytes:
		d.invalid(pointer, "is longer than "+strconv.Itoa(maxBytes)+" bytes")
	case !printable(s):
		d.invalid(pointer, "holds control characters")
	}
	return s
}

// name checks a string that must be there and identifies something.
func (d *decoding) name(pointer, s string, maxBytes int) string {
	if s == "" {
		d.fault(CodeMissingField, pointer, "is required")
		return s
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		d.invalid(pointer, "begins or ends with a space")
		return s
	}
	return d.text(pointer, s, maxBytes)
}

func (d *decoding) location(s string) string { return d.locationAt("/location", s) }

// locationAt is a location under a member of that name; one that is left out is the default.
func (d *decoding) locationAt(pointer, s string) string {
	switch {
	case s == "":
		return DefaultLocation
	case s[0] == ' ' || s[len(s)-1] == ' ':
		d.fault(inventory.CodeInvalidLocation, pointer, "begins or ends with a space")
	case len(s) > MaxLocationBytes:
		d.fault(inventory.CodeInvalidLocation, pointer, "is longer than "+strconv.Itoa(MaxLocationBytes)+" bytes")
	case !printable(s):
		d.fault(inventory.CodeInvalidLocation, pointer, "holds control characters")
	}
	return s
}

func (d *decoding) quantity(pointer string, n int64) int64 {
	if n < 1 || n > MaxQuantity {
		d.fault(CodeBadQuantity, pointer, "must be from 1 to 1000000000")
	}
	return n
}

// level checks a quantity that may be 0 but must be there.
func (d *decoding) level(pointer string, n *int64) int64 {
	switch {
	case n == nil:
		d.fault(CodeMissingField, pointer, "is required")
		return 0
	case *n < 0 || *n > MaxQuantity:
		d.fault(CodeBadQuantity, pointer, "must be from 0 to 1000000000")
	}
	return *n
}

// time reads an RFC 3339 time into microseconds since 1970.
func (d *decoding) time(pointer, s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil:
		d.invalid(pointer, "must be a time as RFC 3339 has it, like 2011-12-09T12:50:00Z")
	case t.Year() < 1970 || t.Year() > 2199:
		d.invalid(pointer, "must be in the years 1970 to 2199")
	}
	return t.UnixMicro()
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// ValidSKU says what is wrong with a SKU, or "".
func ValidSKU(sku string) string {
	switch {
	case sku == "":
		return "is required"
	case len(sku) > MaxSKUBytes:
		return "is longer than " + strconv.Itoa(MaxSKUBytes) + " bytes"
	case sku[0] == ' ' || sku[len(sku)-1] == ' ':
		return "begins or ends with a space"
	case !printable(sku) || !utf8.ValidString(sku):
		return "holds control characters"
	}
	return ""
}
