package shard

import "github.com/bits-and-blooms/bloom/v3"

// knownOrders is how many orders, of this shard and with stock of it, the filter is made for; beyond that it lets more
// look-ups through.
const (
	knownOrders     = 10_000_000
	knownFalseRatio = 0.01
)

// known tells orders that a checkpoint may have, or holds something for, from others. Most look-ups are for orders that do not
// exist yet, and without it each would ask every table on disk. It learns what was saved before beside the shard, which
// need not wait for all orders there ever were; until then, every look-up goes to the disk.
type known struct {
	filter  *bloom.BloomFilter // of what was saved since; once all is learned, of all
	all     bool
	learned chan learned
	stop    chan struct{}
}

type learned struct {
	filter *bloom.BloomFilter
	err    error
}

// learn begins to read the orders that scan hands over; an order that is saved from now on is added.
func learn(scan func(fn func(id, value []byte) error) error) *known {
	k := &known{filter: newFilter(), learned: make(chan learned, 1), stop: make(chan struct{})}
	go func() {
		l := learned{filter: newFilter()}
		l.err = scan(func(id, _ []byte) error {
			select {
			case <-k.stop:
				return errEnoughScanned
			default:
				l.filter.Add(id)
				return nil
			}
		})
		k.learned <- l
		close(k.learned)
	}()
	return k
}

func newFilter() *bloom.BloomFilter { return bloom.NewWithEstimates(knownOrders, knownFalseRatio) }

func (k *known) add(orderID string) { k.filter.AddString(orderID) }

// has reports whether the checkpoint may have an order; false is certain.
func (k *known) has(orderID string) bool { return !k.all || k.filter.TestString(orderID) }

// take takes over what was learned, if that is all.
func (k *known) take() error {
	if k.all {
		return nil
	}
	select {
	case l, ok := <-k.learned:
		if !ok || l.err != nil {
			return l.err
		}
		k.all = true
		return k.filter.Merge(l.filter)
	default:
		return nil
	}
}

// close ends the learning; nothing reads the checkpoint for it afterwards.
func (k *known) close() {
	close(k.stop)
	if !k.all {
		<-k.learned
	}
}
