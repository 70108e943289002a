// Package input reads what clients send: strict JSON, the limits of every member, and the faults that a body has, each
// with a pointer to its member.
//
// It knows neither commands nor queries: both sides of the API use it, each for bodies of its own.
package input

// Limits on what a client may send. Lengths are bytes of UTF-8.
const (
	// MaxBodyBytes bounds the body of a single request.
	MaxBodyBytes = 4 << 20
	// MaxBulkLineBytes bounds one line of POST /v1/commands.
	MaxBulkLineBytes = 1 << 20
	// MaxLines bounds the lines of an order, a shipment or an imported document.
	MaxLines = 2_000
	// MaxKeyBytes bounds an Idempotency-Key, which is printable ASCII.
	MaxKeyBytes = 255
	// MaxFieldErrors bounds how many faults one problem lists.
	MaxFieldErrors = 20
)

// Limits of names and texts.
const (
	MaxSKUBytes         = 64
	MaxLocationBytes    = 64
	MaxCustomerIDBytes  = 128
	MaxCountryBytes     = 64
	MaxReferenceBytes   = 255
	MaxReasonBytes      = 255
	MaxDescriptionBytes = 1_024
	MaxFulfilmentBytes  = 64
	MaxTransferBytes    = 64
	MaxReturnBytes      = 64
)

// MaxQuantity bounds every quantity, in units.
const MaxQuantity = 1_000_000_000

// MaxAmountMicros bounds a price or a payment: a thousand million units of the currency.
const MaxAmountMicros = 1_000_000_000 * microsPerUnit

const microsPerUnit = 1_000_000

// The years of a time that a client may send.
const (
	FirstYear = 1970
	LastYear  = 2199
)

// DefaultLocation is where stock is when a command does not say.
const DefaultLocation = "main"
