package verify

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// ack is a line of an acks file: what a client was told of a command.
type ack struct {
	Key string `json:"key"`
	// Type of the command. Older files have none, and only have place_order.
	Type string `json:"type"`
	// OrderID or SKU is the aggregate.
	OrderID  string `json:"order_id"`
	SKU      string `json:"sku"`
	Status   int    `json:"status"`
	Outcome  string `json:"outcome"`
	Position string `json:"position"`
}

// command is what a client sends again when it tries again.
type command struct{ key, kind, orderID, sku string }

func (a *ack) command() command { return command{a.Key, a.Type, a.OrderID, a.SKU} }

func (a *ack) isPlacement() bool { return a.Type == "" || a.Type == "place_order" }

func (a *ack) succeeded() bool {
	return a.Status == http.StatusOK || a.Status == http.StatusCreated || a.Status == http.StatusAccepted
}

// refused reports whether the status is a definite no: the command was not done.
func (a *ack) refused() bool {
	switch a.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnprocessableEntity:
		return false // nothing definite, or another request has the key
	}
	return a.Status >= 400 && a.Status < 500
}

// checkAcks checks the log against what clients were told (I3, I4, I5).
//
// A refused command that is in the log is no violation where the same command was also done: a refusal keeps no key, so
// that the command may succeed under the same key later. Only such refusals are kept in memory. If there are any, the
// file is read again, to find whether their commands were done.
func (c *checker) checkAcks(file io.ReadSeeker) error {
	doubtful := refusals{}
	if err := readAcks(file, func(a *ack) { c.checkAck(a, &doubtful) }); err != nil {
		return err
	}
	if len(doubtful.acks) == 0 {
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the acks file again: %w", err)
	}
	if err := readAcks(file, doubtful.note); err != nil {
		return err
	}
	for i := range doubtful.acks {
		a := &doubtful.acks[i]
		c.check(Refused, doubtful.done[a.command()],
			"%s of %q with key %q was refused with %d, and is in the log", a.Type, cmp.Or(a.SKU, a.OrderID), a.Key, a.Status)
	}
	return nil
}

// refusals are refused commands that are in the log.
type refusals struct {
	acks []ack            // in the order of the file
	done map[command]bool // whether the command was answered as done, too
}

func (r *refusals) add(a *ack) {
	if r.done == nil {
		r.done = map[command]bool{}
	}
	r.acks = append(r.acks, *a)
	r.done[a.command()] = false
}

// note notes that a refused command was also done.
func (r *refusals) note(a *ack) {
	if _, ok := r.done[a.command()]; ok && a.succeeded() {
		r.done[a.command()] = true
	}
}

// readAcks calls fn with each line of an acks file.
func readAcks(file io.Reader, fn func(*ack)) error {
	lines := bufio.NewReaderSize(file, 64<<10)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the acks file: %w", err)
		}
		last := err != nil
		if len(bytes.TrimSpace(text)) > 0 {
			var a ack
			switch jerr := json.Unmarshal(text, &a); {
			case jerr == nil:
				fn(&a)
			case !last: // a client that was killed may have left half a line at the end
				return fmt.Errorf("acks file, line %d: %w", n, jerr)
			}
		}
		if last {
			return nil
		}
	}
}

func (c *checker) checkAck(a *ack, doubtful *refusals) {
	if a.isPlacement() {
		c.checkPlacement(a)
		return
	}
	c.checkEffect(a, doubtful)
}

// checkPlacement checks the answer to a command that places an order.
func (c *checker) checkPlacement(a *ack) {
	name, inLog := c.keys.placedBy[a.Key]
	o := c.orderOf(name)
	switch {
	case a.succeeded():
		if !inLog && c.report.Moving {
			return // it may have been written after the log was read
		}
		c.check(Acknowledged, inLog, "key %q was answered %d, and is not in the log", a.Key, a.Status)
		if !inLog {
			return
		}
		c.check(OneKey, name == a.OrderID, "key %q was answered with order %s, the log has %s at %d@%d",
			a.Key, a.OrderID, name, o.partition, o.offset)
		if a.Status != http.StatusAccepted {
			c.check(Acknowledged, o.outcome == "reserved" || c.report.Moving,
				"key %q was answered %d, the log says %q of order %s", a.Key, a.Status, o.outcome, name)
		}
		c.checkPosition(a)
	case a.Status == http.StatusConflict:
		refused := inLog && o.outcome != "reserved"
		if slices.Contains([]string{"insufficient_stock", "unknown_sku", "rejected"}, a.Outcome) {
			refused = inLog && o.outcome == "rejected"
		}
		c.check(Refused, refused || c.report.Moving,
			"key %q was answered 409 %s, the log says otherwise of %q", a.Key, a.Outcome, name)
	case a.refused():
		c.check(Refused, !inLog, "key %q was refused with %d, and is order %s in the log", a.Key, a.Status, name)
	}
}

// mayChangeNothing lists the commands that succeed without an event where nothing has to change: things are so already,
// or the same was said before.
var mayChangeNothing = []string{
	"register_item", "expect_stock", "set_safety_stock", "set_backorder_limit",
	"start_payment", "authorize_payment", "capture_payment", "void_payment", "refund_payment", "fail_payment",
}

// checkEffect checks the answer to any other command: its key took effect on the aggregate, or did not.
func (c *checker) checkEffect(a *ack, doubtful *refusals) {
	topic, id := eventlog.TopicOrders, a.OrderID
	exists := c.orderOf(id) != nil
	if a.SKU != "" {
		topic, id = eventlog.TopicInventory, a.SKU
		exists = c.items.get(id) != nil
	}
	inLog := c.keys.has(topic, id, a.Key)
	o := c.orderOf(a.OrderID)
	refusedDocument := o != nil && o.refusedDocument()
	switch {
	case a.succeeded():
		if !inLog && c.report.Moving {
			return // it may have been written after the log was read
		}
		done := inLog && (!refusedDocument || a.Status != http.StatusCreated)
		unchanged := exists && slices.Contains(mayChangeNothing, a.Type)
		c.check(Acknowledged, done || unchanged,
			"%s of %q with key %q was answered %d, and is not in the log", a.Type, id, a.Key, a.Status)
		c.checkPosition(a)
	case a.refused() && a.Type != "amend_order": // a declined amendment has an event, and is refused after it
		if inLog && !refusedDocument {
			doubtful.add(a)
		} else {
			c.check(Refused, true, "")
		}
	}
}

// checkPosition checks that the log reaches as far as an answer said (I3).
func (c *checker) checkPosition(a *ack) {
	if a.Position == "" {
		return
	}
	p, err := eventlog.ParseAny(a.Position)
	if err != nil {
		c.check(Acknowledged, false, "key %q was answered with position %q: %v", a.Key, a.Position, err)
		return
	}
	for tp, end := range p.Offsets() {
		c.check(Acknowledged, end <= c.ends[tp] || c.report.Moving, "key %q was answered at %s/%d@%d, the log ends at %d",
			a.Key, tp.Topic, tp.Partition, end, c.ends[tp])
	}
}
