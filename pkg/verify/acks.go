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
	// Type of the command; empty, as older files have it: place_order.
	Type string `json:"type"`
	// OrderID or SKU is the aggregate.
	OrderID  string `json:"order_id"`
	SKU      string `json:"sku"`
	Status   int    `json:"status"`
	Outcome  string `json:"outcome"`
	Position string `json:"position"`
}

// acks holds the log to what clients were told.
func (c *checker) acks(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the acks file: %w", err)
		}
		torn := err != nil // a client that was killed may have left half a line
		if len(bytes.TrimSpace(text)) > 0 {
			var a ack
			switch jerr := json.Unmarshal(text, &a); {
			case jerr == nil:
				c.ack(&a)
			case !torn:
				return fmt.Errorf("acks file, line %d: %w", n, jerr)
			}
		}
		if torn {
			c.refusals()
			return nil
		}
	}
}

func (c *checker) ack(a *ack) {
	switch a.Type {
	case "", "place_order":
		c.placement(a)
	default:
		c.effect(a)
	}
}

// mayChangeNothing are commands that succeed without an event where things are so already, or were told before.
var mayChangeNothing = []string{
	"register_item", "expect_stock", "set_safety_stock", "set_backorder_limit",
	"start_payment", "authorize_payment", "capture_payment", "void_payment", "refund_payment", "fail_payment",
}

// effect holds the log to the answer to a command on an aggregate that was there: its key took effect, or did not.
func (c *checker) effect(a *ack) {
	topic, id := eventlog.TopicOrders, a.OrderID
	known := c.orders[id] != nil
	if a.SKU != "" {
		topic, id = eventlog.TopicInventory, a.SKU
		known = c.items[id] != nil
	}
	done := c.effects.has(topic, id, a.Key)
	o := c.orders[a.OrderID]
	refused := o != nil && o.pastDocument() && o.status == "rejected" // it was asked for under its key, and had no effect
	switch {
	case isSuccess(a.Status):
		if !done && c.report.Moving {
			return // it may have been written after the log was read
		}
		so := known && slices.Contains(mayChangeNothing, a.Type)
		c.succeeded[commandOf(a)] = true
		done = done && (!refused || a.Status != http.StatusCreated)
		c.check(Acknowledged, done || so, "%s of %q with key %q was answered %d, and is not in the log", a.Type, id, a.Key, a.Status)
		c.position(a)
	case refusesForGood(a.Status) && a.Type != "amend_order": // stock declines amendments after their event
		if done && !refused {
			c.refused = append(c.refused, *a) // judged when all answers are known
		} else {
			c.check(Refused, true, "")
		}
	}
}

// commandOf is what a client repeats when it tries again.
func commandOf(a *ack) ack { return ack{Key: a.Key, Type: a.Type, OrderID: a.OrderID, SKU: a.SKU} }

// refusals judges commands that were refused and are in the log: a refusal keeps no key, and the same command may have
// succeeded under it later.
func (c *checker) refusals() {
	for i := range c.refused {
		a := &c.refused[i]
		c.check(Refused, c.succeeded[commandOf(a)], "%s of %q with key %q was refused with %d, and is in the log", a.Type, cmp.Or(a.SKU, a.OrderID), a.Key, a.Status)
	}
}

func isSuccess(status int) bool {
	return status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted
}

// refusesForGood reports whether a status says that the command was not done.
func refusesForGood(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnprocessableEntity:
		return false // nothing definite, or another request has the key
	}
	return status >= 400 && status < 500
}

// placement holds the log to the answer to a placed order.
func (c *checker) placement(a *ack) {
	name, inLog := c.keys[a.Key]
	o := c.orders[name]
	switch {
	case isSuccess(a.Status):
		if !inLog && c.report.Moving {
			return // it may have been written after the log was read
		}
		c.check(Acknowledged, inLog, "key %q was answered %d, and is not in the log", a.Key, a.Status)
		if !inLog {
			return
		}
		c.check(OneKey, name == a.OrderID, "key %q was answered with order %s, the log has %s at %d@%d", a.Key, a.OrderID, name, o.partition, o.offset)
		if a.Status != http.StatusAccepted {
			c.check(Acknowledged, o.outcome == "reserved" || c.report.Moving, "key %q was answered %d, the log says %q of order %s", a.Key, a.Status, o.outcome, name)
		}
		c.position(a)
	case a.Status == http.StatusConflict:
		refused := inLog && o.outcome != "reserved"
		if a.Outcome == "insufficient_stock" || a.Outcome == "unknown_sku" || a.Outcome == "rejected" {
			refused = inLog && o.outcome == "rejected"
		}
		c.check(Refused, refused || c.report.Moving, "key %q was answered 409 %s, the log says otherwise of %q", a.Key, a.Outcome, name)
	case refusesForGood(a.Status):
		c.check(Refused, !inLog, "key %q was refused with %d, and is order %s in the log", a.Key, a.Status, name)
	}
}

// position holds the log to reach as far as an answer said.
func (c *checker) position(a *ack) {
	if a.Position == "" {
		return
	}
	p, err := eventlog.ParsePosition(a.Position)
	if err != nil {
		c.check(Acknowledged, false, "key %q was answered with position %q: %v", a.Key, a.Position, err)
		return
	}
	for tp, end := range p.Offsets() {
		c.check(Acknowledged, end <= c.ends[tp] || c.report.Moving, "key %q was answered at %s/%d@%d, the log ends at %d", a.Key, tp.Topic, tp.Partition, end, c.ends[tp])
	}
}
