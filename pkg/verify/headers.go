package verify

import (
	"encoding/hex"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ceAttributes must all be there, once each.
const ceAttributes = 5

// headers checks the CloudEvents headers against the event, in the version that it was written in.
func (c *checker) headers(rec *eventlog.Record, meta *eventv1.Meta, source, name string, written int) {
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

// effects remembers which key took effect on which aggregate, by hash: the keys of a long log would not
// fit into memory.
type effects struct {
	seed     maphash.Seed
	versions map[uint64]uint64
}

func newEffects() effects { return effects{maphash.MakeSeed(), map[uint64]uint64{}} }

// again notes an event's key, and reports whether it had taken effect before. The events of one decision
// follow one another directly.
func (e *effects) again(topic, id string, meta *eventv1.Meta) bool {
	sum := e.sum(topic, id, meta.IdempotencyKey)
	last, seen := e.versions[sum]
	e.versions[sum] = meta.Version
	return seen && meta.Version != last+1
}

// has reports whether a key took effect on an aggregate.
func (e *effects) has(topic, id, key string) bool {
	_, seen := e.versions[e.sum(topic, id, key)]
	return seen
}

func (e *effects) sum(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(e.seed)
	for _, part := range parts {
		_, _ = h.WriteString(part) // never fails
		_ = h.WriteByte(0)         // never fails
	}
	return h.Sum64()
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
