package verify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// ack is a line of an acks file: what a client was told of a placement.
type ack struct {
	Key      string `json:"key"`
	OrderID  string `json:"order_id"`
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
			return nil
		}
	}
}

func (c *checker) ack(a *ack) {
	name, inLog := c.keys[a.Key]
	o := c.orders[name]
	switch a.Status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
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
	case http.StatusConflict:
		refused := inLog && o.outcome != "reserved"
		if a.Outcome == "insufficient_stock" || a.Outcome == "unknown_sku" || a.Outcome == "rejected" {
			refused = inLog && o.outcome == "rejected"
		}
		c.check(Refused, refused || c.report.Moving, "key %q was answered 409 %s, the log says otherwise of %q", a.Key, a.Outcome, name)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnprocessableEntity:
		// Nothing definite, or another request has the key.
	default:
		if a.Status >= 400 && a.Status < 500 {
			c.check(Refused, !inLog, "key %q was refused with %d, and is order %s in the log", a.Key, a.Status, name)
		}
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
