package verify

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// checkEnvelope checks what every event has: meta, headers, version, key and partition (ENV, I6), and that a key takes
// effect once (I4). It returns false where the event cannot be folded.
func (c *checker) checkEnvelope(rec *eventlog.Record, meta *eventv1.Meta, id, source, name string, written int) bool {
	if meta == nil || id == "" || name == "" || len(meta.EventId) != 16 {
		c.check(Envelope, false, "%s: an event without meta, aggregate, ID or a known change", at(rec))
		return false
	}
	c.checkHeaders(rec, meta, source, name, written)
	if p := meta.Principal; p != nil {
		c.check(Envelope, p.Name != "" && meta.Cause == eventv1.Cause_CAUSE_COMMAND,
			"%s: %q is said to have asked for an event of the cause %s", at(rec), p.Name, meta.Cause)
	}
	c.check(Versions, string(rec.Key) == id, "%s: key %q on an event of %q", at(rec), rec.Key, id)
	partition := partitionOf(id, c.layout.PartitionCount)
	c.check(Versions, rec.Partition == partition, "%s: %q belongs to partition %d", at(rec), id, partition)
	if meta.Generation > c.layout.Generation && c.newerLayout != nil {
		c.layout = c.newerLayout()
	}
	if meta.Generation == c.layout.Generation {
		shard := uint32(rec.Partition % c.layout.ShardCount)
		c.check(Versions, meta.Shard == shard,
			"%s: written by shard %d, the partition is shard %d's", at(rec), meta.Shard, shard)
	}
	last := c.generations[rec.TopicPartition]
	c.check(Versions, meta.Generation >= last && meta.Generation <= c.layout.Generation,
		"%s: written by generation %d after generation %d, the layout's is %d",
		at(rec), meta.Generation, last, c.layout.Generation)
	c.generations[rec.TopicPartition] = max(last, meta.Generation)
	again := meta.IdempotencyKey != "" && meta.Cause == eventv1.Cause_CAUSE_COMMAND && c.keys.again(rec.Topic, id, meta)
	o := c.orderOf(id)
	refused := rec.Topic == eventlog.TopicOrders && o != nil && o.refusedDocument()
	c.check(OneKey, !again || refused, "%s: key %q takes effect on %q for a second time", at(rec), meta.IdempotencyKey, id)
	return true
}

// ceAttributes is how many CloudEvents attributes an event has, each once.
const ceAttributes = 5

// checkHeaders checks the CloudEvents headers against the event, in the version that it was written in.
func (c *checker) checkHeaders(rec *eventlog.Record, meta *eventv1.Meta, source, name string, written int) {
	right, wrong := 0, ""
	for _, h := range rec.Headers {
		attribute, ours := strings.CutPrefix(h.Key, "ce_")
		if !ours {
			continue
		}
		ok := false
		switch attribute {
		case "specversion":
			ok = string(h.Value) == "1.0"
		case "id":
			ok = string(h.Value) == uuidText(meta.EventId)
		case "source":
			ok = string(h.Value) == source
		case "type":
			ok = string(h.Value) == "holdfast."+name+".v"+strconv.Itoa(written)
		case "time":
			t, err := time.Parse(time.RFC3339Nano, string(h.Value))
			ok = err == nil && t.UnixMicro() == meta.OccurredAtMicros
		default:
			continue // an extension
		}
		if ok {
			right++
		} else {
			wrong += " " + h.Key + "=" + string(h.Value)
		}
	}
	c.check(Envelope, right == ceAttributes && wrong == "", "%s: %d of %d CloudEvents headers match the %s; wrong:%s",
		at(rec), right, ceAttributes, name, wrong)
}

func uuidText(id []byte) string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// partitionOf is Kafka's default partitioner, written from its description: murmur2 of the key with the sign bit
// cleared, modulo the number of partitions.
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
