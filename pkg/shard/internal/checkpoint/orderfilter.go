package checkpoint

import (
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
// One goroutine changes it, that of the store. Any may ask MayHave and Complete, also when the store is closed.
type OrderFilter struct {
	mu       sync.RWMutex
	filter   *bloom.BloomFilter // of orders since the start; once complete, of all
	complete bool
	scanned  chan scanned
	stop     chan struct{}
}

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

func (f *OrderFilter) add(orderID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filter.AddString(orderid.KeyOf(orderID))
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
