package command

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// Problem is a refusal as the API words it (RFC 9457). Code is stable; Detail is for people.
type Problem struct {
	// Status is the HTTP status; 0: that of the Code.
	Status int
	Code   string
	Detail string
	// Instance is the path that the problem is about, when there is one.
	Instance string
	Errors   []FieldError
	// Short says which SKUs stood in an order's way.
	Short []Short
	// OrderID names the order that was refused after it was recorded.
	OrderID string
	// CurrentStatus and Allowed go with illegal state changes; CurrentVersion with version_mismatch
	// and count_outdated, CurrentOnHand with count_outdated.
	CurrentStatus  string
	Allowed        []string
	CurrentVersion uint64
	CurrentOnHand  *int64
	// Reached is how far a view is, in position_not_reached.
	Reached string
	// RetryAfterSeconds is sent as Retry-After.
	RetryAfterSeconds int
	// Cause is what went wrong inside; it goes to the log only.
	Cause error
}

// FieldError points into the request's body (RFC 6901) and says what is wrong there.
type FieldError struct {
	Pointer string
	Detail  string
}

// Short is a SKU that could not be had. Quantities are units.
type Short struct {
	SKU       string
	Requested int64
	Available int64
	Reason    string
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if len(p.Errors) > 0 && p.Errors[0].Pointer != "" {
		return p.Code + ": " + p.Errors[0].Pointer + ": " + p.Errors[0].Detail
	}
	return p.Code + ": " + p.Detail
}

// Unwrap implements errors.Unwrap.
func (p *Problem) Unwrap() error { return p.Cause }

// HTTPStatus is the status to answer with.
func (p *Problem) HTTPStatus() int {
	if p.Status != 0 {
		return p.Status
	}
	return KindOf(p.Code).Status
}

// AsProblem returns the Problem in err's chain, or one that hides what went wrong inside.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return &Problem{Code: CodeInternal, Detail: "The request could not be served; the log has the reason."}
}

// AppendJSON appends the problem document. Members that are empty are left out.
func (p *Problem) AppendJSON(b []byte) []byte {
	kind := KindOf(p.Code)
	b = append(b, `{"type":"/errors/`...)
	b = append(b, p.Code...)
	b = append(b, `","title":`...)
	b = AppendString(b, kind.Title)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.HTTPStatus()), 10)
	b = append(b, `,"code":"`...)
	b = append(b, p.Code...)
	b = append(b, '"')
	b = appendMember(b, "detail", p.Detail)
	b = appendMember(b, "instance", p.Instance)
	b = p.appendErrors(b)
	b = p.appendShort(b)
	b = appendMember(b, "order_id", p.OrderID)
	b = appendMember(b, "current_status", p.CurrentStatus)
	b = appendAllowed(b, p.Allowed)
	if p.CurrentVersion != 0 {
		b = append(b, `,"current_version":`...)
		b = strconv.AppendUint(b, p.CurrentVersion, 10)
	}
	if p.CurrentOnHand != nil {
		b = append(b, `,"current_on_hand":`...)
		b = strconv.AppendInt(b, *p.CurrentOnHand, 10)
	}
	b = appendMember(b, "reached", p.Reached)
	return append(b, '}')
}

func (p *Problem) appendErrors(b []byte) []byte {
	if len(p.Errors) == 0 {
		return b
	}
	b = append(b, `,"errors":[`...)
	for i, e := range p.Errors {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"pointer":`...)
		b = AppendString(b, e.Pointer)
		b = append(b, `,"detail":`...)
		b = AppendString(b, e.Detail)
		b = append(b, '}')
	}
	return append(b, ']')
}

func (p *Problem) appendShort(b []byte) []byte {
	if len(p.Short) == 0 {
		return b
	}
	b = append(b, `,"short":[`...)
	for i, s := range p.Short {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"sku":`...)
		b = AppendString(b, s.SKU)
		b = append(b, `,"requested":`...)
		b = strconv.AppendInt(b, s.Requested, 10)
		b = append(b, `,"available":`...)
		b = strconv.AppendInt(b, s.Available, 10)
		b = appendMember(b, "reason", s.Reason)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendAllowed(b []byte, allowed []string) []byte {
	if len(allowed) == 0 {
		return b
	}
	b = append(b, `,"allowed":[`...)
	for i, s := range allowed {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return AppendString(b, value)
}

// AppendString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
