package command

import (
	"maps"
	"net/http"
	"slices"

	"github.com/holdfast/holdfast/pkg/inventory"
)

// Codes of refusals that are decided here, before a command reaches its aggregate. Once published, a code
// keeps its name.
const (
	CodeMalformedJSON  = "malformed_json"
	CodeUnknownField   = "unknown_field"
	CodeDuplicateField = "duplicate_field"
	CodeWrongType      = "wrong_type"
	CodeMissingField   = "missing_field"
	CodeTooManyLines   = "too_many_lines"
	CodeBadQuantity    = inventory.CodeInvalidQuantity
	CodeBadSKU         = inventory.CodeInvalidSKU
	CodeBadDelta       = inventory.CodeInvalidDelta
	CodeBadReason      = inventory.CodeInvalidReason
	CodeBadAction      = "invalid_action"
	CodeBadEnvelope    = "invalid_line"
	CodeUnknownCommand = "unknown_command"

	CodeKeyRequired    = "idempotency_key_required"
	CodeBadKey         = "invalid_idempotency_key"
	CodeBadIfMatch     = "invalid_if_match"
	CodeBadPosition    = "invalid_position"
	CodeBadParameter   = "invalid_parameter"
	CodeBadCursor      = "invalid_cursor"
	CodeTooManySKUs    = "too_many_skus"
	CodeNotFound       = "not_found"
	CodeMethod         = "method_not_allowed"
	CodeMediaType      = "unsupported_media_type"
	CodeNotAcceptable  = "not_acceptable"
	CodeBodyTooLarge   = "body_too_large"
	CodeLineTooLong    = "line_too_long"
	CodeRequestTimeout = "request_timeout"
	CodePosition       = "position_not_reached"
	CodeInternal       = "internal"
)

// Kind is what all problems of one code share.
type Kind struct {
	Status int
	Title  string
}

// KindOf returns the kind of a code. A code that is not in the table is a refusal by a rule: 409.
func KindOf(code string) Kind {
	if k, ok := kinds[code]; ok {
		return k
	}
	return Kind{http.StatusConflict, "The command is not allowed now"}
}

// Codes lists every code in the table, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(kinds)) }
