package inventory

// Error is a refused command, which writes nothing. Code is stable, and Detail is for people. Pointer (RFC 6901) names
// the field of the command; it may be empty.
type Error struct {
	Code    string
	Detail  string
	Pointer string
	// OnHand is what the location has on hand, with CodeCountOutdated.
	OnHand *int64
}

// The codes.
const (
	CodeUnknownSKU         = "unknown_sku"
	CodeInsufficientStock  = "insufficient_stock"
	CodeNegativeOnHand     = "negative_on_hand"
	CodeInvalidSKU         = "invalid_sku"
	CodeInvalidQuantity    = "invalid_quantity"
	CodeInvalidDelta       = "invalid_delta"
	CodeInvalidReason      = "invalid_reason"
	CodeInvalidLocation    = "invalid_location"
	CodeInvalidReference   = "invalid_reference"
	CodeInvalidDescription = "invalid_description"
	CodeInvalidMetadata    = "invalid_metadata"
	CodeInvalidState       = "invalid_state"
	CodeInvalidTransferID  = "invalid_transfer_id"
	CodeSameLocation       = "same_location"
	CodeTransferExists     = "transfer_exists"
	CodeUnknownTransfer    = "unknown_transfer"
	CodeOverTransfer       = "over_transfer"
	CodeTooManyTransfers   = "too_many_transfers"
	CodeCountOutdated      = "count_outdated"
	CodeInvalidCountedAt   = "invalid_counted_at_version"
	CodeInvalidCost        = "invalid_cost"
	CodeUnknownCurrency    = "unknown_currency"
	CodeInvalidStep        = "invalid_step"
	CodeTooManyLocations   = "too_many_locations"
	CodeTooManyDeliveries  = "too_many_deliveries"
	CodeQuantityOverflow   = "quantity_overflow"
	CodeUnknownLocation    = "unknown_location"
	CodeLocationRetired    = "location_retired"
	CodeLocationExists     = "location_exists"
	CodeUnknownCommand     = "unknown_command"
)

// Error makes a refusal an error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, pointer, detail string) *Error {
	return &Error{Code: code, Pointer: pointer, Detail: detail}
}
