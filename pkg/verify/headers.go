package verify

import (
	"encoding/hex"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// headers checks the CloudEvents headers against the event.
func (c *checker) headers(rec *eventlog.Record, meta *eventv1.Meta, source, field string) {
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": uuidText(meta.EventId), "ce_source": source, "ce_type": "holdfast." + field + ".v1",
	}
	timeOK := false
	for _, h := range rec.Headers {
		if w, ok := want[h.Key]; ok && w == string(h.Value) {
			delete(want, h.Key)
		}
		if h.Key == "ce_time" {
			t, err := time.Parse(time.RFC3339Nano, string(h.Value))
			timeOK = err == nil && t.UnixMicro() == meta.OccurredAtMicros
		}
	}
	c.check(Envelope, len(want) == 0 && timeOK, "%s: CloudEvents headers do not match: %v", at(rec), want)
}

func uuidText(id []byte) string {
	x := hex.EncodeToString(id)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// partitionOf is Kafka's default partitioner, written from its description: murmur2 of the key, its sign
// bit cleared, modulo the partitions.
func partitionOf(key string, partitions int32) int32 {
	const m uint32 = 0x5bd1e995
	b := []byte(key)
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return int32(h&0x7fffffff) % partitions
}
