package orderid_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/orderid"
)

// An order's ID puts it into the partition number of its SKU, whatever the key, the SKU and the number of partitions
// are; it is the same each time; and the orders of one key have one prefix, which no other key's have.
func TestAnIDIsInThePartitionOfItsSKU(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	keys := map[string]string{} // by prefix
	for i := range 20_000 {
		key, sku := text(rng, 255), text(rng, 64)
		partitions := []int32{1, 2, 3, 12, 64, eventlog.MaxPartitionCount}[i%6]
		if partitions == eventlog.MaxPartitionCount && i > 2_000 {
			continue // 1,024 trials each
		}
		id := orderid.BySKU(orderid.DefaultTenant, key, sku, partitions)
		want := eventlog.PartitionFor(sku, partitions)
		if got := eventlog.PartitionFor(id, partitions); got != want {
			t.Fatalf("%s of key %q is in partition %d of %d, its SKU %q in %d", id, key, got, partitions, sku, want)
		}
		if again := orderid.BySKU(orderid.DefaultTenant, key, sku, partitions); again != id {
			t.Fatalf("key %q has %s and %s", key, id, again)
		}
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 8 || parsed.Variant() != uuid.RFC4122 ||
			parsed.String() != id || !orderid.Valid(id) || !orderid.IsBySKU(id) {
			t.Fatalf("%s is no canonical UUID of version 8: %v", id, err)
		}
		prefix := orderid.Prefix(orderid.DefaultTenant, key)
		if orderid.KeyOf(id) != prefix || orderid.KeyOf(prefix) != prefix {
			t.Fatalf("%s does not tell its key: %s and %s", id, orderid.KeyOf(id), prefix)
		}
		if other, known := keys[prefix]; known && other != key {
			t.Fatalf("keys %q and %q have one prefix", key, other)
		}
		keys[prefix] = key
	}
}

// All orders that a key could have placed are found from its prefix, one in each partition.
func TestEachOrderOfAKeyIsFound(t *testing.T) {
	const partitions = 12
	prefix := orderid.Prefix(orderid.DefaultTenant, "k")
	found := map[string]bool{}
	orderid.Each(prefix, partitions, func(p int32) bool { return p%3 == 1 }, func(id string) bool {
		if p := eventlog.PartitionFor(id, partitions); p%3 != 1 {
			t.Errorf("%s is in partition %d", id, p)
		}
		found[id] = true
		return true
	})
	if len(found) != partitions/3 {
		t.Errorf("%d orders: %v", len(found), found)
	}
	for i := range 200 {
		sku := fmt.Sprint("sku-", i)
		id := orderid.BySKU(orderid.DefaultTenant, "k", sku, partitions)
		if wanted := eventlog.PartitionFor(sku, partitions)%3 == 1; found[id] != wanted {
			t.Errorf("%s with SKU %s was found: %t", id, sku, found[id])
		}
	}
	seen := 0
	orderid.Each(prefix, partitions, func(int32) bool { return true }, func(string) bool { seen++; return seen < 2 })
	if seen != 2 {
		t.Errorf("it went on to %d", seen)
	}
}

// IDs are for ever: a retry after an upgrade must find the order.
func TestIDsAreForEver(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{orderid.ByKey("default", "k-1"), "95f4b358-eb1f-51d6-adb5-ecb0547b4cce"},
		{orderid.BySKU("default", "k-1", "85123A", 12), "95f4b358-eb1f-81d6-adb5-ecb0547b0008"},
		{orderid.BySKU("default", "k-1", "22423", 12), "95f4b358-eb1f-81d6-adb5-ecb0547b000e"},
		{orderid.BySKU("default", "k-1", "85123A", 3), "95f4b358-eb1f-81d6-adb5-ecb0547b0008"},
		{orderid.BySKU("default", "", "85123A", 1), "5ae0b7c6-6c74-887c-a80f-700b581f0000"},
		{orderid.Within("fulfilment", "o", "k"), "ca412b47-b267-5c1a-b898-6f200d7d27b3"},
	} {
		if c.got != c.want {
			t.Errorf("%s, it was %s", c.got, c.want)
		}
	}
	for _, id := range []string{"", "k", "0198c0de-0000-5000-8000-00000000000", "0198C0DE-0000-8000-8000-000000000000",
		"0198c0de00000-8000-8000-000000000000"} {
		if orderid.Valid(id) {
			t.Errorf("%q is no ID", id)
		}
	}
	if id := orderid.ByKey("default", "k-1"); orderid.IsBySKU(id) || !orderid.IsByKey(id) ||
		orderid.KeyOf(id) != orderid.Prefix("default", "k-1") {
		t.Errorf("%s is an ID of a key alone", id)
	}
	if id := "o-1"; orderid.IsBySKU(id) || orderid.IsByKey(id) || orderid.KeyOf(id) != id {
		t.Errorf("%s is no ID of a key", id)
	}
}

func BenchmarkBySKU(b *testing.B) {
	for _, partitions := range []int32{12, 64, eventlog.MaxPartitionCount} {
		b.Run(fmt.Sprint(partitions, " partitions"), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				orderid.BySKU(orderid.DefaultTenant, "key-"+fmt.Sprint(i), "85123A", partitions)
			}
		})
	}
}

func text(rng *rand.Rand, most int) string {
	b := make([]byte, 1+rng.IntN(most))
	for i := range b {
		b[i] = byte('!' + rng.IntN(94))
	}
	return string(b)
}
