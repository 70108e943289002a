package live

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
)

// Listen is the listener of a view whose events go into a tail, and then to the subscribers of a hub. The values of the
// changes are those of the records.
func Listen(tail projector.Listener, hub *Hub) projector.Listener { return listener{tail, hub} }

type listener struct {
	tail projector.Listener
	hub  *Hub
}

// Began implements projector.Listener.
func (l listener) Began(from eventlog.Offsets) {
	l.tail.Began(from)
	l.hub.Restart(from)
}

// Folded implements projector.Listener.
func (l listener) Folded(recs []eventlog.Record, reached eventlog.Offsets) {
	l.tail.Folded(recs, reached)
	l.hub.Publish(func() []Change {
		changes := make([]Change, len(recs))
		for i := range recs {
			changes[i] = Change{recs[i].TopicPartition, recs[i].Offset, string(recs[i].Key), recs[i].Value}
		}
		return changes
	}, reached)
}
