// Package limits has the limits that several layers keep to: what the API refuses in a body (pkg/input, pkg/command),
// and what the rules of orders and stock refuse again (pkg/order, pkg/inventory). A test holds schemas/openapi.yaml to
// them.
//
// It imports nothing of Holdfast. Limits of one package alone stand in that package: of HTTP in pkg/httpapi, of queues
// and batches in pkg/shard.
package limits

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultPaymentWindow is how long a prepaid order waits for its payment where no setting says otherwise.
const DefaultPaymentWindow = 24 * time.Hour

// Limits of a request.
const (
	// MaxBodyBytes bounds the body of a single request.
	MaxBodyBytes = 4 << 20
	// MaxBulkLineBytes bounds one line of POST /v1/commands.
	MaxBulkLineBytes = 1 << 20
	// MaxKeyBytes bounds an Idempotency-Key, which is printable ASCII.
	MaxKeyBytes = 255
	// MaxFieldErrors bounds how many faults one problem lists.
	MaxFieldErrors = 20
)

// Limits of names and texts, in characters: Unicode code points, as JSON Schema counts them. UTF-8 has up to
// utf8.UTFMax bytes for each.
const (
	MaxSKULength        = 64
	MaxLocationLength   = 64
	MaxCustomerIDLength = 128
	MaxCountryLength    = 64
	MaxReferenceLength  = 255
	MaxReasonLength     = 255
	// MaxProviderLength bounds the name of a payment provider.
	MaxProviderLength = 50
	// MaxProviderEventIDLength bounds the payment provider's ID of a fact.
	MaxProviderEventIDLength = 100
	MaxDescriptionLength     = 1_024
	// MaxSearchLength bounds the words of a search.
	MaxSearchLength = 200
	// MaxActorLength bounds the header Holdfast-Actor.
	MaxActorLength = 100
)

// Limits of metadata. Those of entries, keys and values are Stripe's, so that what is kept there has its place here,
// too.
const (
	MaxMetadataEntries = 50
	// MaxMetadataKeyBytes bounds a key, which is ASCII.
	MaxMetadataKeyBytes = 40
	// MaxMetadataValueLength bounds a value, in characters.
	MaxMetadataValueLength = 500
	// MaxMetadataBytes bounds the keys and values of one map together: each is kept in the log for ever.
	MaxMetadataBytes = 8 << 10
)

// Limits of IDs, in bytes.
const (
	MaxOrderIDBytes    = 128
	MaxFulfilmentBytes = 64
	MaxTransferBytes   = 64
	MaxReturnBytes     = 64
)

// Longer reports whether a text has more characters than a limit.
func Longer(s string, length int) bool { return len(s) > length && utf8.RuneCountInString(s) > length }

const (
	// MaxCharges bounds the charges of an order.
	MaxCharges = 100
	// MaxDiscounts bounds the discounts of a line, and those of an order.
	MaxDiscounts = 20
	// MaxTaxes bounds the taxes of a line, and those of a charge.
	MaxTaxes = 10
	// MaxTaxRate bounds the rate of a tax: 1 is all of what it is on.
	MaxTaxRate = 10
	// MaxLines bounds the lines of an order, a document or a shipment.
	MaxLines = 2_000
	// MaxQuantity bounds the quantity of a line and of a stock command, in units.
	MaxQuantity = 1_000_000_000
	// MaxAmount bounds a price or a payment, in units of the currency.
	MaxAmount = 1_000_000_000
)

// Years of a time that a client may send.
const (
	FirstYear = 1970
	LastYear  = 2199
)

// MaxFuture is how long after the clock of the replica that takes a command something may have happened, by what the
// client says. It leaves room for clocks that differ.
const MaxFuture = 5 * time.Minute

// Quantities says which quantities are taken, for the text of a refusal: "1 to 1000000000 units".
func Quantities(least int) string {
	return strconv.Itoa(least) + " to " + strconv.Itoa(MaxQuantity) + " units"
}

// ValidMetadataKey reports whether a key of metadata has 1 to MaxMetadataKeyBytes of a-z, A-Z, 0-9, _, . and -.
func ValidMetadataKey(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return key != "" && len(key) <= MaxMetadataKeyBytes
}

// ValidMetadataValue reports whether a value of metadata is UTF-8 of 1 to MaxMetadataValueLength characters, without
// control characters.
func ValidMetadataValue(value string) bool {
	return value != "" && !Longer(value, MaxMetadataValueLength) && utf8.ValidString(value) &&
		!strings.ContainsFunc(value, unicode.IsControl)
}
