package shard

import (
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// eventIDs mints UUIDv7s without a system call each. Not for concurrent use.
type eventIDs struct{ rng *rand.ChaCha8 }

func newEventIDs() *eventIDs {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails: crypto/rand aborts the program instead
	return &eventIDs{rng: rand.NewChaCha8(seed)}
}

func (g *eventIDs) next() [16]byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[0:8], uint64(time.Now().UnixMilli())<<16|g.rng.Uint64()&0x0fff|0x7000)
	binary.BigEndian.PutUint64(id[8:16], g.rng.Uint64()&^(0b11<<62)|0b10<<62)
	return id
}

// formatUUID writes the usual 36 characters.
func formatUUID(dst []byte, id [16]byte) []byte {
	for i, n := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[n[0]:n[1]])
	}
	return dst
}
