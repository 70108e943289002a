package verify

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 names it; nothing secret hangs on it
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// withGoods reports whether an order's ID says that it was placed with its goods: it is a UUID of version 8. Other IDs
// do not tell how they were made.
func withGoods(orderID string) bool { return len(orderID) == 36 && orderID[14] == '8' }

// checkGoods checks that an order which was placed with its goods is in the partition number of its first SKU (I6),
// and that its ID is that of its key (I4).
func (c *checker) checkGoods(rec *eventlog.Record, ev *eventv1.OrderEvent, kind string, lines []*eventv1.OrderLine) {
	id := ev.OrderId
	if !withGoods(id) {
		return
	}
	c.check(OneKey, kind == kindOrder, "%s: the %s %s has the ID of an order", at(rec), kind, id)
	key := ev.Meta.IdempotencyKey
	c.check(OneKey, strings.HasPrefix(id, prefixOf(key)), "%s: %s is not an order of key %q", at(rec), id, key)
	own := partitionOf(id, c.layout.PartitionCount)
	c.check(OneKey, firstIn(id, own, c.layout.PartitionCount), "%s: %s is not the first ID of key %q in its partition",
		at(rec), id, key)
	if len(lines) > 0 {
		sku := lines[0].Sku
		want := partitionOf(sku, c.layout.PartitionCount)
		c.check(Versions, own == want, "%s: %s is not in partition %d, that of its first SKU %s", at(rec), id, want, sku)
	}
}

// firstIn reports whether the last four digits of an ID are the least number with which it is in its partition: each
// attempt of a command must find the same.
func firstIn(id string, partition, partitions int32) bool {
	number, err := strconv.ParseUint(id[32:], 16, 16)
	for n := uint64(0); n < number && err == nil; n++ {
		if partitionOf(id[:32]+fmt.Sprintf("%04x", n), partitions) == partition {
			return false
		}
	}
	return err == nil
}

// namespace is that of all IDs that derive from keys.
const namespace = "\x6f\x1d\x3a\x52\x7c\x0e\x5b\x9e\x9a\x64\x3d\x2f\x4c\x8b\x7e\x10"

// prefixOf is how the IDs of a key's orders begin: SHA-1 of the namespace, the tenant, a zero byte and the key, as a
// UUID of version 8 without its last four digits.
func prefixOf(key string) string { return uuidOf("default\x00"+key, 8)[:32] }

// uuidOf is the UUID of a name in the namespace: SHA-1 of both, with a version.
func uuidOf(name string, version byte) string {
	sum := sha1.Sum([]byte(namespace + name)) //nolint:gosec // see above
	sum[6], sum[8] = sum[6]&0x0f|version<<4, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// checkReference checks that a past document has the ID of its kind and reference, or as those of former releases that
// of its key (I4), where its ID is derived at all: a UUID of version 5.
func (c *checker) checkReference(rec *eventlog.Record, ev *eventv1.OrderEvent, kind, reference string) {
	id, key := ev.OrderId, ev.Meta.IdempotencyKey
	if len(id) != 36 || id[14] != '5' {
		return
	}
	derived := id == uuidOf(documentKinds[kind]+"\x00default\x00"+reference, 5) || id == uuidOf("default\x00"+key, 5)
	c.check(OneKey, derived, "%s: %s is neither the %s of reference %q nor that of key %q",
		at(rec), id, kind, reference, key)
}

// documentKinds are the kinds of past documents as their IDs have them.
var documentKinds = map[string]string{kindImported: "imported_order", kindCreditNote: "credit_note"}

// placedByReuse reports whether a client has used a key for two requests, so that each placed an order: orders with
// their goods whose first SKUs differ, an order and a past document, or two documents of different kinds or references.
// Writers refuse that where they notice it, and cannot always (ADR 28). A key that placed two orders in any other way
// is a violation.
func (c *checker) placedByReuse(id, kind, other string) bool {
	before := c.orderOf(other)
	if before == nil || id == other {
		return false
	}
	if withGoods(id) && withGoods(other) {
		return true
	}
	if kind != kindOrder && before.pastDocument() {
		return true
	}
	return withGoods(id) && before.pastDocument() || withGoods(other) && kind != kindOrder
}

// reuse notes that a key was used for two requests.
func (c *checker) reuse(format string, args ...any) {
	c.report.ReusedKeys++
	if c.reused != nil {
		c.reused(fmt.Sprintf(format, args...))
		return
	}
	if len(c.report.ReusedKeyExamples) < c.o.Examples {
		c.report.ReusedKeyExamples = append(c.report.ReusedKeyExamples, fmt.Sprintf(format, args...))
	}
}
