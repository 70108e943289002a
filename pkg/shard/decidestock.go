package shard

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// decideStock decides a command on a stock item.
func (d *decider) decideStock(cmd *Command, fut *Future) error {
	it, err := d.store.Item(cmd.ID)
	if err != nil {
		return err
	}
	if cmd.Key != "" {
		seen, err := d.store.StockCommand(cmd.ID, cmd.Key)
		if err != nil {
			return err
		}
		if seen.Version > 0 {
			d.refuse(fut, cmd, repeatedStock(it, seen, cmd))
			return nil
		}
	}
	if cmd.ExpectedVersion != nil && *cmd.ExpectedVersion != it.VisibleVersion {
		d.refuse(fut, cmd, versionMismatch(it.VisibleVersion, *cmd.ExpectedVersion))
		return nil
	}
	evs, err := inventory.Decide(*it, inventory.Reservation{}, cmd.Stock)
	if err == nil {
		err = inventory.CheckPlaces(it, cmd.Stock, evs, d.node.cfg.Places)
	}
	if err != nil {
		d.refuse(fut, cmd, refusal(err, it.VisibleVersion))
		return nil
	}
	if len(evs) == 0 {
		d.refuse(fut, cmd, Result{Version: it.VisibleVersion, Stock: stockOutcome(it, cmd)})
		return nil
	}
	if d.bound(cmd) {
		d.refuseBound(cmd, fut)
		return nil
	}
	first := len(d.batch.records)
	from := cmd.origin()
	if err := d.appendStock(it, nil, evs, &from); err != nil {
		return err
	}
	d.batch.answers = append(d.batch.answers, answer{
		fut: fut, first: first, end: len(d.batch.records),
		result: Result{Version: it.VisibleVersion, Stock: stockOutcome(it, cmd)},
	})
	return nil
}

// repeatedStock answers a command whose key the item has seen before.
func repeatedStock(it *inventory.Item, seen *checkpoint.CommandRecord, cmd *Command) Result {
	if seen.Fingerprint != cmd.Fingerprint {
		return keyReused(cmd.Key)
	}
	return Result{Version: it.VisibleVersion, Stock: stockOutcome(it, cmd), Repeated: true}
}
