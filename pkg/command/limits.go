package command

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
	// MaxSKUBytes and the following bound names and texts.
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
	// MaxQuantity bounds every quantity, in units.
	MaxQuantity = 1_000_000_000
	// MaxFieldErrors bounds how many faults one problem lists.
	MaxFieldErrors = 20
)

// DefaultLocation is where stock is when a command does not say.
const DefaultLocation = "main"

// MaxAmountMicros bounds a price or a payment: a thousand million units of the currency.
const MaxAmountMicros = 1_000_000_000 * 1_000_000
