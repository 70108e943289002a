package shard

import (
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// This file finds an order whose ID is not the one that a command names. There are two cases.
//
// A key that comes again with another body may name another order, because the ID of an order depends on its first SKU;
// and an order of a former generation of the layout has the ID of its key alone, as has a past document from before
// documents had the ID of their reference. The command's
// shard looks among its own orders, which is exact (orderOfKey). Before it gets the command, the replica that took it
// looks whether the key may have placed an order in any other shard (shardsThatPlaced), in the filters that it has of
// all shards, and asks the owners of those first. So a key that no other shard knows costs no message. The filter of a
// shard that another replica serves is as old as its standby's last round, or, without a standby, as the owner's last
// answer (orderkeys.go): within that time the same key can place a second order, if its body has another first SKU.
// holdfast verify and the auditor find it.
//
// An order of a former generation is always found. Nobody places orders by their keys any more, so a filter that has
// all of that generation knows (knowsFormer), and where there is none, the owner is asked.
//
// So is a past document from before, in the shard that the ID of its key has: whatever filter there is of that shard
// knows it, and without a filter its owner is asked. Two documents that differ in their references are not one because
// they came under one key: holdfast verify finds such keys, too.
//
// A client that knows an order's key and not its ID names it by the ID of the key alone, as lines of a file do. Then
// each shard that may have the order is handed the command, until one has it (shardsThatMayHave).

// shardFilter is the filter of a shard's orders in this replica.
type shardFilter struct {
	*checkpoint.OrderFilter
	// serves: it is the owner's, this replica's or the one that has told it. Otherwise it is a standby's.
	serves bool
	// id tells it from other filters of the shard.
	id uuid.UUID
}

// shardFilters are those of one shard.
type shardFilters struct {
	here atomic.Pointer[shardFilter] // of the checkpoint; nil: there is none
	told atomic.Pointer[shardFilter] // of what the owner has told since, or is to tell; nil: it need not, or has not
}

// filterOf is the filter of a shard, once it has all orders; nil: there is none.
func (n *Node) filterOf(shard int32) *shardFilter {
	for _, filter := range []*shardFilter{n.filters[shard].here.Load(), n.filters[shard].told.Load()} {
		if filter != nil && filter.Complete() {
			return filter
		}
	}
	return nil
}

// publish has commands ask the filter, until the function that it returns is called. What it knew then stays until the
// shard has another checkpoint here, and its owner adds to it.
func (f *shardFilters) publish(store *checkpoint.Store, serves bool) (withdraw func()) {
	filter := &shardFilter{store.Filter(), serves, uuid.New()}
	f.here.Store(filter)
	return func() {
		if filter.Complete() {
			f.told.Store(&shardFilter{OrderFilter: filter.OrderFilter})
		}
		f.here.CompareAndSwap(filter, nil)
	}
}

// shardsToAsk are orders, one in each shard that is asked before a command is submitted; none: it goes to its own
// shard.
func (n *Node) shardsToAsk(cmd *Command) []string {
	switch {
	case !n.layout.OrdersWithGoods() || n.layout.ShardCount == 1 || !cmd.isOrder():
		return nil
	case opensOrder(cmd.Order):
		return n.shardsThatPlaced(cmd)
	case orderid.IsByKey(cmd.ID):
		return n.shardsThatMayHave(cmd.ID)
	}
	return nil
}

// shardsThatPlaced are orders, one in each shard other than the command's own in which its key may have placed an
// order.
func (n *Node) shardsThatPlaced(cmd *Command) (ids []string) {
	own, prefix, imports := n.ShardOf(cmd.ID), keyPrefix(cmd), isDocument(cmd.Order)
	former := n.ShardOf(orderid.ByKey(orderid.DefaultTenant, cmd.Key))
	for shard := range n.layout.ShardCount {
		filter := n.filterOf(shard)
		// Of a shard without a filter only an order of a former generation matters, or a document from before: any other
		// would be another request.
		unknown := shard == former && (imports && filter == nil ||
			n.layout.OrdersByKeyBefore() && !n.knowsFormer(shard, filter))
		if shard != own && (unknown || filter != nil && filter.MayHave(prefix)) {
			ids = append(ids, orderid.In(prefix, shard, n.layout.PartitionCount)) // a partition of that shard
		}
	}
	return ids
}

// keyPrefix is what all IDs have in common that derive from the key of a command which makes an order. The ID of a past
// document does not derive from its key, and that of one from before does.
func keyPrefix(cmd *Command) string {
	if isDocument(cmd.Order) && cmd.Key != "" {
		return orderid.Prefix(orderid.DefaultTenant, cmd.Key)
	}
	return orderid.KeyOf(cmd.ID)
}

// shardsThatMayHave are orders, one in each shard that may have the order which an ID of a key alone names: first those
// that know the key, then the one where it is if that is its only name, then the others: of an order that does not
// exist all have to say so.
func (n *Node) shardsThatMayHave(id string) (ids []string) {
	home, prefix := n.ShardOf(id), orderid.KeyOf(id)
	var others []string
	for shard := range n.layout.ShardCount {
		candidate, filter := id, n.filterOf(shard)
		if shard != home {
			candidate = orderid.In(prefix, shard, n.layout.PartitionCount)
		}
		switch {
		case filter != nil && filter.MayHave(prefix):
			ids = append(ids, candidate)
		case shard == home:
			others = append([]string{candidate}, others...)
		default:
			others = append(others, candidate)
		}
	}
	return append(ids, others...)
}

// knowsFormer reports whether a filter has all orders that were placed by their keys. An owner of this generation has:
// it has read the log to where the former generation could not write any more. So has a standby that has asked where
// the log ends after such an owner has announced itself.
func (n *Node) knowsFormer(shard int32, filter *shardFilter) bool {
	if filter == nil || filter.serves {
		return filter != nil
	}
	owned := n.owners.firstHeard(shard)
	return owned != 0 && n.standbyCurrent[shard].Load() > owned
}

// askThenSubmit hands a command to the shards of those orders, one after the other, until one has the order that the
// command's key has placed, or that its ID names, and answers it. If none has, the command goes to its own shard.
func (n *Node) askThenSubmit(in *commandInput, ids []string) {
	own := n.ShardOf(in.cmd.ID)
	if len(ids) == 0 {
		n.submit(own, in)
		return
	}
	question, err := n.renamed(in.cmd, ids[0])
	if err != nil {
		in.abandon(unavailable("the command cannot be decoded again: " + err.Error()))
		return
	}
	question.lookUp = true
	ask := newCommandInput(question)
	ask.notify = func(final bool, r Result) {
		switch {
		case !final:
			in.accept(r)
		case r.NotPlaced && n.successor.Load() != nil: // who answered may have had other partitions than those asked about
			in.abandon(unavailable("the layout has changed: retry with the same Idempotency-Key"))
		case r.NotPlaced:
			n.askThenSubmit(in, ids[1:])
		default:
			in.abandon(r)
		}
	}
	shard := n.ShardOf(question.ID)
	if shard != own {
		n.metrics.keysLookedUp.Inc()
	}
	n.setHeard(question, shard)
	n.submit(shard, ask)
}

// notPlaced answers a command that this shard does not have the order of. That the key has placed no order here needs
// no commit: who asks for an order of a former generation gets the same answer for ever, and any other answer may be
// old. That there is no order of that name is a part of a refusal.
func (d *decider) notPlaced(cmd *Command, fut *Future) {
	if opensOrder(cmd.Order) {
		fut.finish(Result{NotPlaced: true})
		return
	}
	d.refuse(fut, cmd, Result{NotPlaced: true})
}

// orderOfKey returns the order in this shard that was placed under the key from which the command's ID derives, other
// than the one that it names; nil: there is none.
func (d *decider) orderOfKey(cmd *Command) (found *checkpoint.Entry, err error) {
	prefix, stands := keyPrefix(cmd), opensOrder(cmd.Order) || cmd.lookUp || orderid.IsByKey(cmd.ID)
	if !d.layout.OrdersWithGoods() || !stands || prefix == cmd.ID || !d.store.Filter().MayHave(prefix) {
		return nil, nil // or the ID names no other order than itself
	}
	look := func(id string) (more bool) {
		if id == cmd.ID {
			return true
		}
		var e *checkpoint.Entry
		// A past document that was refused had no effect, and comes again under the ID of its reference.
		if e, err = d.resumeOrder(id); err == nil && e.Order.Version > 0 && !importsAgain(&e.Order, cmd.Order) {
			found = e
		}
		return err == nil && found == nil
	}
	if opensOrder(cmd.Order) {
		if former := orderid.ByKey(orderid.DefaultTenant, cmd.Key); !d.foreign(former) && !look(former) {
			return found, err
		}
	}
	orderid.Each(prefix, d.layout.PartitionCount, func(p int32) bool { return d.layout.ShardOf(p) == d.shard }, look)
	return found, err
}

// decideElsewhere decides a command whose order this shard has under another ID than the command names. It is false
// where there is none.
func (d *decider) decideElsewhere(cmd *Command, fut *Future) (decided bool, err error) {
	other, err := d.orderOfKey(cmd)
	if err != nil || other == nil {
		return false, err
	}
	if opensOrder(cmd.Order) {
		return true, d.answerForOther(other, cmd, fut)
	}
	named, err := d.node.renamed(cmd, other.Order.ID)
	if err != nil { // its owner has decoded the same bytes before
		return false, err
	}
	return true, d.decideOrder(named, fut)
}

// renamed is a command as it would be if it named its order by another ID: other IDs derive from that, and so does its
// fingerprint.
func (n *Node) renamed(cmd *Command, id string) (*Command, error) {
	if id == cmd.ID {
		same := *cmd
		return &same, nil
	}
	named, err := n.cfg.Decode(cmd.Type, id, cmd.Key, cmd.Body, cmd.ReceivedAtMicros)
	if err != nil {
		return nil, err
	}
	named.Principal, named.Stream, named.TraceParent = cmd.Principal, cmd.Stream, cmd.TraceParent
	named.ExpectedVersion = cmd.ExpectedVersion
	named.Heard, named.heard, named.takenIn = cmd.Heard, cmd.heard, cmd.takenIn
	return named, nil
}

// answerForOther answers a command whose key has placed another order than the command names. Where that one was placed
// by the key alone, the command may be a retry; otherwise its first SKU differs, and it is another request.
func (d *decider) answerForOther(e *checkpoint.Entry, cmd *Command, fut *Future) error {
	if orderid.IsBySKU(e.Order.ID) {
		d.refuse(fut, cmd, keyReusedFor(e, cmd.Key))
		return nil
	}
	again, err := d.node.renamed(cmd, e.Order.ID)
	seen := e.Command(cmd.Key)
	if err != nil || seen == nil {
		d.refuse(fut, cmd, keyReusedFor(e, cmd.Key))
		return nil
	}
	d.answerRepeated(e, seen, again, fut)
	return nil
}

// keyReusedFor is keyReused that names the order which the key has placed.
func keyReusedFor(e *checkpoint.Entry, key string) Result {
	res := keyReused(key)
	res.Order = summarizeOrder(e)
	return res
}

// placedOtherwise refuses, for now, a new order whose ID is derived as the layout does not have it: the replica that
// took it does not know yet that the layout has changed, or this one does not.
func (d *decider) placedOtherwise(cmd *Command) bool {
	_, places := cmd.Order.(order.Place)
	return places && d.layout.OrdersWithGoods() != orderid.IsBySKU(cmd.ID)
}

var layoutDiffers = Result{Code: problem.Unavailable, RetryAfterSeconds: 1,
	Detail: "the platform begins to place orders with their goods: retry with the same Idempotency-Key"}
