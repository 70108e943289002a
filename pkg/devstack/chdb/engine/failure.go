package engine

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// ClickHouse's error codes that the gateway returns itself, or maps to an HTTP status.
const (
	codeCannotParse          = 27
	codeReadAfterEnd         = 32
	codeCannotReadAll        = 33
	codeBadArguments         = 36
	codeChecksum             = 40
	codeUnknownIdentifier    = 47
	codeNotImplemented       = 48
	codeUnknownTable         = 60
	codeSyntaxError          = 62
	codeUnknownDatabase      = 81
	codeUnknownSetting       = 115
	codeBadData              = 117
	codeTooLarge             = 161
	codeNoParameter          = 456
	codeBadParameter         = 457
	codeAccessDenied         = 497
	codeAuthenticationFailed = 516
	codeUnknown              = 1002
)

// failure is an error with ClickHouse's code and in ClickHouse's wording.
type failure struct {
	code int
	text string
}

// Error implements error.
func (f *failure) Error() string { return f.text }

func fail(code int, name, format string, args ...any) *failure {
	text := fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)
	return &failure{code: code, text: text}
}

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\. DB::Exception: `)

// engineError turns the engine's error text into an error, nil for an empty text.
func engineError(text string) error {
	if text == "" {
		return nil
	}
	code := codeUnknown
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		code, _ = strconv.Atoi(m[1])
		// Some texts begin with the same prefix several times.
		for m[0] != "" && strings.HasPrefix(text[len(m[0]):], m[0]) {
			text = text[len(m[0]):]
		}
	} else {
		text = fmt.Sprintf("Code: %d. DB::Exception: %s (UNKNOWN_EXCEPTION)", code, text)
	}
	return &failure{code: code, text: text}
}

// notStreamed begins the engine's error for statements whose result it cannot return in blocks. It returns this error
// before it runs anything.
const notStreamed = "Streaming query is not supported"

func isNotStreamed(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.code == codeBadArguments && strings.Contains(f.text, notStreamed)
}

// asFailure gives an error without a code ClickHouse's code for unknown exceptions.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return fail(codeUnknown, "UNKNOWN_EXCEPTION", "%s", err)
}

// status is the HTTP status that a ClickHouse server answers with for this code.
func (f *failure) status() int {
	switch f.code {
	case codeCannotParse, codeReadAfterEnd, codeCannotReadAll, codeBadArguments, codeChecksum, codeUnknownIdentifier,
		codeSyntaxError, codeUnknownSetting, codeBadData, codeNoParameter, codeBadParameter:
		return http.StatusBadRequest
	case codeUnknownTable, codeUnknownDatabase:
		return http.StatusNotFound
	case codeAccessDenied, codeAuthenticationFailed:
		return http.StatusForbidden
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
