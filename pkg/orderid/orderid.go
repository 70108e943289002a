// Package orderid derives the IDs of orders from the idempotency keys that they are placed under: every replica derives
// the same ID from the same request, so that a retry reaches the order that the first attempt made.
//
// There are three derivations. A past document's ID is that of its kind and reference (ByReference), so that one
// which comes under two keys is one. That of its key alone (ByKey) is the ID of a document from before that, and of
// all orders and documents of a platform before it places orders with their goods. The ID of any other order (BySKU)
// is chosen so that Kafka's default partitioner puts it into the partition number that the SKU of its first line has:
// the order's events and those of its stock are then written by one shard, in one transaction, however many shards
// there are. The version of the UUID tells them apart: 5 and 8. All else but the last four digits is the same, so
// that whoever knows a key can name its order without knowing its SKU: the ID of the key alone names it too.
package orderid

import (
	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// DefaultTenant is the tenant of every request until there are more.
const DefaultTenant = "default"

// namespace is fixed for ever: order IDs derive from it, and a retry must find the same order.
var namespace = uuid.MustParse("6f1d3a52-7c0e-5b9e-9a64-3d2f4c8b7e10")

// The kinds of past documents, as their IDs have them: for ever, as the namespace.
const (
	ImportedOrder = "imported_order"
	CreditNote    = "credit_note"
)

// ByReference is the ID of the past document of a kind that has the reference: UUIDv5 of kind, a zero byte, tenant, a
// zero byte and reference.
func ByReference(tenant, kind, reference string) string { return Within(kind, tenant, reference) }

// ByKey is the ID of what a client's key stands for: UUIDv5 of tenant, a zero byte and key. Of an order that was placed
// with its goods it is another name.
func ByKey(tenant, key string) string { return derive(namespace, tenant, key).String() }

// Within is the ID of what a client's key stands for within something else, such as a fulfilment of an order.
func Within(kind, id, key string) string { return derive(namespace, kind+"\x00"+id, key).String() }

func derive(space uuid.UUID, scope, key string) uuid.UUID {
	var buf [128]byte
	name := append(buf[:0], scope...)
	name = append(name, 0)
	name = append(name, key...)
	return uuid.NewSHA1(space, name)
}

// An ID of the version 8 is a prefix, which is that of its key (ByKey) but for the version, and four hexadecimal
// digits, which are the least number that puts it into its partition.
const (
	length       = 36
	prefixLength = length - 4
	numbers      = 1 << 16
	versionAt    = 14
)

// Number is the number of an order, for people: that of the n-th order that begins in the partition, n from 1, of so
// many partitions (ADR 29). With 12 partitions the first order of partition 5 has the number 17, the second one 29.
func Number(partitions, partition int32, n uint64) uint64 {
	return uint64(partitions)*n + uint64(partition)
}

// BySKU is the ID of the order that a client's key stands for whose first line has the SKU.
//
// The partition is reached by trial: of each number in turn as the last four digits. With 12 partitions that takes 12
// trials on average, of about 10 ns each; with 1,024 partitions no number of the 65,536 fits once in 10^27 keys. The
// order then lives in another partition, which costs messages between shards and nothing else.
func BySKU(tenant, key, sku string, partitions int32) string {
	return In(Prefix(tenant, key), eventlog.PartitionFor(sku, partitions), partitions)
}

// Prefix is what all IDs have in common that BySKU derives from a key, whatever the SKU is.
func Prefix(tenant, key string) string { return KeyOf(ByKey(tenant, key)) }

// In is the ID with the prefix that is in a partition.
func In(prefix string, partition, partitions int32) string {
	var text [length]byte
	copy(text[:], prefix)
	for n := range numbers {
		setNumber(&text, n)
		if eventlog.PartitionForBytes(text[:], partitions) == partition {
			break
		}
	}
	return string(text[:])
}

// Each calls fn with the IDs of the prefix in all partitions for which wanted is true, until fn returns false.
func Each(prefix string, partitions int32, wanted func(partition int32) bool, fn func(id string) (more bool)) {
	for p := range partitions {
		if wanted(p) && !fn(In(prefix, p, partitions)) {
			return
		}
	}
}

const digits = "0123456789abcdef"

func setNumber(text *[length]byte, n int) {
	for i := length - 1; i >= prefixLength; i-- {
		text[i] = digits[n&0xf]
		n >>= 4
	}
}

// IsBySKU reports whether an ID is one that BySKU derives.
func IsBySKU(id string) bool { return len(id) == length && id[versionAt] == '8' }

// IsByKey reports whether an ID is one that ByKey derives, or ByReference.
func IsByKey(id string) bool { return len(id) == length && id[versionAt] == '5' }

// KeyOf is what an ID has of the key that it derives from: of each ID that BySKU or ByKey derives from a key it is the
// key's Prefix. Any other ID is returned as a whole.
func KeyOf(id string) string {
	switch {
	case IsBySKU(id):
		return id[:prefixLength]
	case IsByKey(id):
		return id[:versionAt] + "8" + id[versionAt+1:prefixLength]
	default:
		return id
	}
}

// Valid reports whether id is a UUID in its canonical form, as every order ID is.
func Valid(id string) bool {
	if len(id) != length {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
