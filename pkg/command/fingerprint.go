package command

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// Tags of the members of a fingerprint. Fingerprints are stored in events: a member keeps its tag for ever, and a new
// member gets a new one.
const (
	tagCommand    = 1
	tagID         = 2
	tagOccurredAt = 3

	tagCustomerID     = 10
	tagCurrency       = 11
	tagCountry        = 12
	tagReference      = 13
	tagTerms          = 14
	tagTotal          = 15
	tagPolicy         = 16
	tagPolicyLocation = 17
	tagMetadataKey    = 18
	tagMetadataValue  = 19

	tagLine         = 20 // begins a line
	tagSKU          = 21
	tagQuantity     = 22
	tagUnitPrice    = 23
	tagCondition    = 24
	tagLineNumber   = 25
	tagNewUnitPrice = 26

	tagAmount            = 30
	tagReason            = 31
	tagTrackingReference = 32
	tagFulfilmentID      = 33
	tagCapture           = 34
	tagReturnID          = 35
	tagPaymentReference  = 36
	tagUncoveredReason   = 37
	tagPurpose           = 38
	tagProviderEventID   = 39

	tagDescription      = 40
	tagLocation         = 41
	tagDelta            = 42
	tagAdjustmentReason = 43
	tagCounted          = 44
	tagLimit            = 45
	tagFrom             = 46
	tagTo               = 47
	tagToLocation       = 48
	tagTransferID       = 49
	tagMissing          = 50
	tagDamaged          = 51
	tagCountedAtVersion = 52
	tagRejected         = 53
	tagUnitCost         = 54
	tagCostCurrency     = 55
	tagMetadataSet      = 56
	tagProvider         = 57
	tagCancel           = 58

	// What an order costs besides its prices. Each of the first three begins a charge, a discount or a tax.
	tagCharge        = 60
	tagDiscount      = 61
	tagTax           = 62
	tagKind          = 63
	tagCode          = 64
	tagName          = 65
	tagJurisdiction  = 66
	tagRate          = 67
	tagTaxesIncluded = 68
	tagRounding      = 69
	tagSubtotal      = 70
	tagDiscountTotal = 71
	tagChargeTotal   = 72
	tagTaxTotal      = 73
	tagOfOrder       = 74 // ends the lines
	tagLineDiscount  = 75
	tagLineTax       = 76
	tagChargeNumber  = 77

	tagBackorderedReason = 78
)

// Fingerprint tells two requests with one key apart: it is the start of SHA-256 over the command's name, the ID and
// the body in canonical form. Canonical means decoded: members in a fixed order, defaults filled in, decimals as
// micro-units. So a client may write the same body differently. What the server adds (deadlines, times of receipt,
// derived IDs) stays out: but for the ID of a key alone, which fingerprints had before there were others.
func Fingerprint(name, id string, o order.Command, s inventory.Command, occurredAtMicros int64) [16]byte {
	f := fingerprints.Get().(*fingerprint)
	defer fingerprints.Put(f)
	f.b = f.b[:0]
	f.text(tagCommand, name)
	c, ok := Lookup(name)
	if !ok || !c.Creates || !orderid.IsBySKU(id) {
		f.text(tagID, id)
	}
	f.number(tagOccurredAt, occurredAtMicros)
	if ok && o != nil {
		c.fingerprintsOrder(f, o)
	} else if ok {
		c.fingerprintsStock(f, s)
	}
	sum := sha256.Sum256(f.b)
	return [16]byte(sum[:16])
}

// fingerprint is a list of tagged members. One that is empty or zero adds nothing, so that a new member leaves the
// fingerprints of requests without it as they were.
type fingerprint struct{ b []byte }

var fingerprints = sync.Pool{New: func() any { return new(fingerprint) }}

func (f *fingerprint) text(tag byte, s string) {
	if s == "" {
		return
	}
	f.b = append(f.b, tag)
	f.b = binary.AppendUvarint(f.b, uint64(len(s)))
	f.b = append(f.b, s...)
}

func (f *fingerprint) number(tag byte, n int64) {
	if n == 0 {
		return
	}
	f.b = append(f.b, tag)
	f.b = binary.AppendVarint(f.b, n)
}

// optional is a number that may be 0 and may be absent: an amount of 0 differs from no amount.
func (f *fingerprint) optional(tag byte, n *int64) {
	if n != nil {
		f.number(tag, *n+1)
	}
}

func (f *fingerprint) flag(tag byte, set bool) {
	if set {
		f.number(tag, 1)
	}
}

// line begins a line with what every kind of line has.
func (f *fingerprint) line(sku string, quantity int64) {
	f.b = append(f.b, tagLine)
	f.text(tagSKU, sku)
	f.number(tagQuantity, quantity)
}

func (f *fingerprint) placeLines(lines []order.PlaceLine) {
	for _, line := range lines {
		f.line(line.SKU, line.Quantity)
		f.number(tagUnitPrice, line.UnitPriceMicros)
		if d := line.Details; d != nil {
			f.discounts(d.Discounts)
			f.taxes(d.Taxes)
			f.metadata(d.Metadata)
		}
	}
}

func (f *fingerprint) quantities(lines []order.LineQuantity) {
	for _, line := range lines {
		f.line(line.SKU, line.Quantity)
		f.number(tagLineNumber, int64(line.Line))
	}
}

func (f *fingerprint) metadata(m metadata.Map) {
	for _, e := range m {
		f.text(tagMetadataKey, e.Key)
		f.text(tagMetadataValue, e.Value)
	}
}
