package checkpoint

import "github.com/bits-and-blooms/bloom/v3"

// The filter is made for expectedOrders: those of the shard, and those of others with reservations here. Beyond that,
// more look-ups go to the disk for nothing.
const (
	expectedOrders   = 10_000_000
	falsePositiveMax = 0.01
)

// orderFilter tells orders that the checkpoint may have, or has reservations of, from all others. Most look-ups are for
// orders that do not exist yet: without the filter each would ask every table on disk.
//
// The orders that were saved before the checkpoint was opened are read in the background, so that the shard need not
// wait for all orders there ever were. Until that is done, every look-up goes to the disk.
type orderFilter struct {
	filter   *bloom.BloomFilter // of orders saved since the start; once complete, of all
	complete bool
	scanned  chan scanned
	stop     chan struct{}
}

// scanned is the outcome of the background scan.
type scanned struct {
	filter *bloom.BloomFilter
	err    error
}

// startOrderFilter begins to read the orders that scan hands over. Orders saved from now on are added by add.
func startOrderFilter(scan func(fn func(id, value []byte) error) error) *orderFilter {
	f := &orderFilter{filter: newFilter(), scanned: make(chan scanned, 1), stop: make(chan struct{})}
	go func() {
		result := scanned{filter: newFilter()}
		result.err = scan(func(id, _ []byte) error {
			select {
			case <-f.stop:
				return errEnoughScanned
			default:
				result.filter.Add(id)
				return nil
			}
		})
		f.scanned <- result
		close(f.scanned)
	}()
	return f
}

func newFilter() *bloom.BloomFilter { return bloom.NewWithEstimates(expectedOrders, falsePositiveMax) }

func (f *orderFilter) add(orderID string) { f.filter.AddString(orderID) }

// mayHave reports whether the checkpoint may have an order; false is certain.
func (f *orderFilter) mayHave(orderID string) bool {
	return !f.complete || f.filter.TestString(orderID)
}

// mergeScanned adds what the background scan has read, if it is done.
func (f *orderFilter) mergeScanned() error {
	if f.complete {
		return nil
	}
	select {
	case result, ok := <-f.scanned:
		if !ok || result.err != nil {
			return result.err
		}
		f.complete = true
		return f.filter.Merge(result.filter)
	default:
		return nil
	}
}

// close ends the scan. Nothing reads the checkpoint for the filter afterwards.
func (f *orderFilter) close() {
	close(f.stop)
	if !f.complete {
		<-f.scanned
	}
}
