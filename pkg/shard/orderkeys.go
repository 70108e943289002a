package shard

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/s2"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	"github.com/holdfast/holdfast/pkg/shard/internal/logonce"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// A replica that keeps no standby of a shard asks its owner, as often as a standby would follow the log, for the keys
// that have placed orders there since: 34 bytes a key instead of all events, and nothing to fold. At first, and from
// each new owner, it gets the owner's whole filter, which has 12 MB. What it had from the former owner stays.

const (
	// keysTimeout bounds how long one answer may take.
	keysTimeout = time.Minute
	// wordsPerPart of a filter, 1 MiB, are in one part of an answer, and keysPerPart keys.
	wordsPerPart = 1 << 17
	keysPerPart  = 16_384
)

// followKeys asks the owners of shards without a standby here for the keys of their orders, until ctx ends.
func (n *Node) followKeys(ctx context.Context) {
	if n.cfg.StandbyEvery == 0 || !n.layout.OrdersWithGoods() {
		return
	}
	followers := make([]keyFollower, n.layout.ShardCount)
	for backoff.Sleep(ctx, n.cfg.StandbyEvery) == nil {
		var asking sync.WaitGroup
		for shard := range n.layout.ShardCount {
			asking.Go(func() { followers[shard].round(ctx, n, shard) })
		}
		asking.Wait()
	}
}

// keyFollower has what the owner of a shard has told last.
type keyFollower struct {
	filter   *shardFilter // nil: nothing
	position uint64
	logged   logonce.Error
}

// round asks the owner for what is new, unless this replica has a checkpoint.
func (k *keyFollower) round(ctx context.Context, n *Node, shard int32) {
	filters := &n.filters[shard]
	if here := filters.here.Load(); here != nil && here.Complete() {
		filters.told.Store(nil)
		*k = keyFollower{}
		return
	}
	address, err := n.owners.address(shard)
	if err != nil || n.group.Owned(shard) {
		return // there is nobody to ask
	}
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	if err := k.ask(ctx, n, address, shard); err != nil {
		// Without it, a key that comes again with another body may place a second order.
		n.log.Log(ctx, k.logged.Level(err), "the keys of another replica's orders are not known", "shard", shard,
			"error", err)
		return
	}
	k.logged = ""
	filters.told.Store(k.filter)
}

// ask takes in what the owner of a shard has to tell.
func (k *keyFollower) ask(ctx context.Context, n *Node, address string, shard int32) error {
	req := &peerv1.OrderKeysRequest{Shard: uint32(shard), Position: k.position}
	if k.filter == nil {
		k.filter = &shardFilter{OrderFilter: n.filters[shard].left(), serves: true}
	} else {
		req.FilterId = k.filter.id[:]
	}
	var last *peerv1.OrderKeysResponse
	words := 0
	err := n.peers.OrderKeys(ctx, address, req, func(part *peerv1.OrderKeysResponse) error {
		last = part
		for _, key := range part.Keys {
			k.filter.Add(key)
		}
		if part.WordCount == 0 {
			return nil
		}
		merged, err := mergeWords(k.filter.OrderFilter, part)
		words += merged
		return err
	})
	switch {
	case err != nil:
		return err
	case last == nil:
		return fmt.Errorf("the owner %s has told nothing", address)
	case words > 0 && words != k.filter.WordCount():
		return fmt.Errorf("the owner %s has told %d words of its filter, not %d", address, words, k.filter.WordCount())
	case words == 0 && !bytes.Equal(last.FilterId, req.FilterId):
		return fmt.Errorf("the owner %s has told a part of a filter that is not known", address)
	}
	id, err := uuid.FromBytes(last.FilterId)
	if err != nil {
		return fmt.Errorf("the owner %s: its filter has no ID: %w", address, err)
	}
	k.filter.Finish()
	k.filter.id, k.position = id, last.Position
	return nil
}

// left is what the checkpoint of a shard knew that is gone here.
func (f *shardFilters) left() *checkpoint.OrderFilter {
	if told := f.told.Load(); told != nil {
		return told.OrderFilter
	}
	return checkpoint.NewOrderFilter()
}

// mergeWords adds a part of the owner's filter, and returns how many words it has.
func mergeWords(filter *checkpoint.OrderFilter, part *peerv1.OrderKeysResponse) (int, error) {
	if part.WordCount != uint64(filter.WordCount()) {
		return 0, fmt.Errorf("the owner's filter has %d words, and this replica's %d", part.WordCount, filter.WordCount())
	}
	if n, err := s2.DecodedLen(part.Words); err == nil && n > 8*wordsPerPart {
		return 0, fmt.Errorf("a part of the owner's filter has %d bytes", n)
	}
	raw, err := s2.Decode(nil, part.Words)
	if err != nil {
		return 0, fmt.Errorf("a part of the owner's filter: %w", err)
	}
	words := make([]uint64, len(raw)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	if part.WordOffset > part.WordCount || !filter.MergeWords(int(part.WordOffset), words) {
		return 0, fmt.Errorf("a part of the owner's filter is beyond its end: %d words from %d", len(words), part.WordOffset)
	}
	return len(words), nil
}

// sendKeys answers another replica that asks for the keys of the orders of a shard that this one serves.
func (n *Node) sendKeys(req *peerv1.OrderKeysRequest, send func(*peerv1.OrderKeysResponse) error) error {
	if req.Shard >= uint32(len(n.filters)) {
		return fmt.Errorf("there is no shard %d", req.Shard)
	}
	filter := n.filters[req.Shard].here.Load()
	if filter == nil || !filter.serves || !filter.Complete() {
		return fmt.Errorf("shard %d is not served here, or its orders have not been read yet", req.Shard)
	}
	if bytes.Equal(req.FilterId, filter.id[:]) {
		if keys, next, ok := filter.KeysSince(req.Position); ok {
			return sendNewKeys(filter, keys, next, send)
		}
	}
	return sendFilter(filter, send)
}

// sendNewKeys sends keys. The last part, which may be the only one, has the position.
func sendNewKeys(
	filter *shardFilter, keys []string, next uint64, send func(*peerv1.OrderKeysResponse) error,
) error {
	for {
		part := &peerv1.OrderKeysResponse{FilterId: filter.id[:], Position: next, Keys: keys}
		if len(keys) <= keysPerPart {
			return send(part)
		}
		part.Keys, keys = keys[:keysPerPart], keys[keysPerPart:]
		if err := send(part); err != nil {
			return err
		}
	}
}

// sendFilter sends a whole filter. What is added meanwhile is told after the position, too.
func sendFilter(filter *shardFilter, send func(*peerv1.OrderKeysResponse) error) error {
	position, _ := filter.Position()
	count := filter.WordCount()
	for from := 0; from < count; from += wordsPerPart {
		words := filter.Words(from, min(from+wordsPerPart, count))
		raw := make([]byte, 0, 8*len(words))
		for _, w := range words {
			raw = binary.LittleEndian.AppendUint64(raw, w)
		}
		part := &peerv1.OrderKeysResponse{
			FilterId: filter.id[:], Position: position, Words: s2.Encode(nil, raw), WordOffset: uint64(from),
			WordCount: uint64(count),
		}
		if err := send(part); err != nil {
			return err
		}
	}
	return nil
}
