package checkpoint

import (
	"slices"
	"sync"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/holdfast/holdfast/pkg/orderid"
)

// The filter is made for expectedOrders: those of the shard, and those of others with reservations here. Beyond that,
// more look-ups go to the disk for nothing.
const (
	expectedOrders   = 10_000_000
	falsePositiveMax = 0.01
)

// OrderFilter tells orders that the checkpoint may have, or has reservations of, from all others. Most look-ups are for
// orders that do not exist yet: without the filter each would ask every table on disk.
//
// It knows orders by what their IDs have of the key that they were placed under (orderid.KeyOf). So one look-up also
// says that a key has placed no order here, whatever the order's first SKU would be.
//
// The orders that were saved before the checkpoint was opened are read in the background, so that the shard need not
// wait for all orders there ever were. Until that is done, every look-up goes to the disk.
//
// One goroutine changes it, that of the store. Any may ask it, also when the store is closed.
type OrderFilter struct {
	mu       sync.RWMutex
	filter   *bloom.BloomFilter // of orders since the start; once complete, of all
	complete bool
	scanned  chan scanned
	stop     chan struct{}
	// added has the newest keys of those that were added since somebody first asked for them (KeysSince). The first one
	// has the position addedFrom.
	added     []string
	addedFrom uint64
	asked     bool
}

// maxAdded keys are kept for those who ask every few seconds. Who asks later reads the whole filter.
const maxAdded = 131_072

// scanned is the outcome of the background scan.
type scanned struct {
	filter *bloom.BloomFilter
	err    error
}

// startOrderFilter begins to read the orders that scan hands over. Orders that come from now on are added by add.
func startOrderFilter(scan func(fn func(id, value []byte) error) error) *OrderFilter {
	f := &OrderFilter{filter: newFilter(), scanned: make(chan scanned, 1), stop: make(chan struct{})}
	go func() {
		result := scanned{filter: newFilter()}
		result.err = scan(func(id, _ []byte) error {
			select {
			case <-f.stop:
				return errEnoughScanned
			default:
				result.filter.AddString(orderid.KeyOf(string(id)))
				return nil
			}
		})
		f.scanned <- result
		close(f.scanned)
	}()
	return f
}

func newFilter() *bloom.BloomFilter { return bloom.NewWithEstimates(expectedOrders, falsePositiveMax) }

// NewOrderFilter is one of a shard without a checkpoint, for what its owner says of its orders. Until all that came
// before is merged (Complete), every look-up finds that there may be an order.
func NewOrderFilter() *OrderFilter { return &OrderFilter{filter: newFilter()} }

func (f *OrderFilter) add(orderID string) { f.Add(orderid.KeyOf(orderID)) }

// Add adds a key, as orderid.Prefix has it.
func (f *OrderFilter) Add(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filter.TestOrAddString(key) || !f.asked {
		return
	}
	if len(f.added) == maxAdded {
		f.added, f.addedFrom = append(f.added[:0], f.added[maxAdded/2:]...), f.addedFrom+maxAdded/2
	}
	f.added = append(f.added, key)
}

// KeysSince returns the keys that were added from a position on, and the position after them. ok is false where these
// are not known any more, or the filter does not have all orders yet.
func (f *OrderFilter) KeysSince(position uint64) (keys []string, next uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next = f.addedFrom + uint64(len(f.added))
	if !f.complete || !f.asked || position < f.addedFrom || position > next {
		return nil, 0, false
	}
	return slices.Clone(f.added[position-f.addedFrom:]), next, true
}

// Position is that after what the filter has now. Whoever reads the filter after that, and asks from there on, misses
// nothing. ok is false where the filter does not have all orders yet.
func (f *OrderFilter) Position() (position uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = true
	return f.addedFrom + uint64(len(f.added)), f.complete
}

// WordCount is how many words of 64 bits every filter has.
func (f *OrderFilter) WordCount() int { return len(f.filter.BitSet().Words()) }

// Words copies some words of the filter.
func (f *OrderFilter) Words(from, to int) []uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(f.filter.BitSet().Words()[from:to])
}

// MergeWords adds what some words of another filter have. It is false where there are no such words.
func (f *OrderFilter) MergeWords(from int, words []uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.filter.BitSet().Words()
	if from < 0 || from > len(mine) || len(words) > len(mine)-from {
		return false
	}
	for i, w := range words {
		mine[from+i] |= w
	}
	return true
}

// Finish notes that all words of another filter were merged.
func (f *OrderFilter) Finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.complete = true
}

// MayHave reports whether the checkpoint may have an order, or another one that was placed under the same key; false is
// certain. It takes an ID, or what orderid.Prefix says of a key.
func (f *OrderFilter) MayHave(orderID string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return !f.complete || f.filter.TestString(orderid.KeyOf(orderID))
}

// Complete reports whether the orders have been read that were saved before.
func (f *OrderFilter) Complete() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.complete
}

// mergeScanned adds what the background scan has read, if it is done.
func (f *OrderFilter) mergeScanned() error {
	if f.complete {
		return nil
	}
	select {
	case result, ok := <-f.scanned:
		if !ok || result.err != nil {
			return result.err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.complete = true
		return f.filter.Merge(result.filter)
	default:
		return nil
	}
}

// close ends the scan. Nothing reads the checkpoint for the filter afterwards.
func (f *OrderFilter) close() {
	close(f.stop)
	if !f.complete {
		<-f.scanned
	}
}
