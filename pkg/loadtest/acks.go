package loadtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Ack is a line of an acks file: what a client was told, definitely. holdfast verify holds the log to it.
type Ack struct {
	Key     string `json:"key"`
	OrderID string `json:"order_id,omitempty"`
	Status  int    `json:"status"`
	Outcome string `json:"outcome"`
}

// ackWriter writes acks of many callers. Every line reaches the file before the next order starts, so
// that a killed load test has told all that it knows.
type ackWriter struct {
	mu  sync.Mutex
	w   *bufio.Writer
	err error
}

func newAckWriter(w io.Writer) *ackWriter {
	if w == nil {
		return &ackWriter{}
	}
	return &ackWriter{w: bufio.NewWriter(w)}
}

func (a *ackWriter) write(key string, status int, body []byte) {
	if a.w == nil {
		return
	}
	orderID, outcome, err := outcomeOf(body)
	line, merr := json.Marshal(Ack{Key: key, OrderID: orderID, Status: status, Outcome: outcome})
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = errors.Join(a.err, err, merr); a.err != nil {
		return
	}
	if _, err := a.w.Write(append(line, '\n')); err != nil {
		a.err = fmt.Errorf("write the acks: %w", err)
		return
	}
	a.err = a.w.Flush()
}

func (a *ackWriter) flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w == nil {
		return a.err
	}
	return errors.Join(a.err, a.w.Flush())
}
