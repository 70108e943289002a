package eventlog_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// javaMurmur2 has the hashes in Apache Kafka's own test of Utils.murmur2.
var javaMurmur2 = map[string]int32{
	"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
	"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	"abc": 479470107,
}

func TestPartitionForAgreesWithJava(t *testing.T) {
	for key, hash := range javaMurmur2 {
		for _, n := range []int32{1, 7, 12, 1000} {
			if got, want := eventlog.PartitionFor(key, n), (hash&0x7fffffff)%n; got != want {
				t.Errorf("PartitionFor(%q, %d) = %d, want %d", key, n, got, want)
			}
		}
	}
}

func TestPartitionForAgreesWithTheDefaultClient(t *testing.T) {
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(eventlog.TopicOrders)
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		key := make([]byte, 1+random.IntN(40)) // the default client spreads empty keys
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		n := 1 + random.Int32N(64)
		want := partitioner.Partition(&kgo.Record{Key: key}, int(n))
		if got := eventlog.PartitionFor(string(key), n); int(got) != want {
			t.Fatalf("PartitionFor(%q, %d) = %d, want %d", key, n, got, want)
		}
	}
}

func TestPartitionForDoesNotAllocate(t *testing.T) {
	key := strings.Repeat("k", 36)
	var partition int32
	if n := testing.AllocsPerRun(100, func() { partition = eventlog.PartitionFor(key, 12) }); n != 0 {
		t.Errorf("%v allocations for partition %d", n, partition)
	}
}

func BenchmarkPartitionFor(b *testing.B) {
	for b.Loop() {
		eventlog.PartitionFor("0198c3a2-7d5e-7c1f-9a44-0f2b6f1d2c3e", 12)
	}
}
