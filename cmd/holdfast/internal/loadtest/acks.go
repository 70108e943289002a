package loadtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Ack is a line of an acks file: a definite answer that a client got. holdfast verify compares the log with it.
type Ack struct {
	Key  string `json:"key"`
	Type string `json:"type"`
	// OrderID or SKU is the aggregate.
	OrderID string `json:"order_id,omitempty"`
	SKU     string `json:"sku,omitempty"`
	Status  int    `json:"status"`
	// Outcome is the order's status, or the code of the refusal.
	Outcome string `json:"outcome"`
	// Position is the answer's position.
	Position string `json:"position,omitempty"`
}

// The commands that are sent.
const (
	placeOrder   = "place_order"
	registerItem = "register_item"
	receiveStock = "receive_stock"
)

// ackWriter writes the acks of many callers. It writes every line to the file before the next order starts, so that a
// killed load test loses none.
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

// answer writes the answer to a request that placed an order.
func (a *ackWriter) answer(key string, status int, position string, body []byte) {
	if a.w == nil {
		return
	}
	orderID, outcome, err := outcomeOf(body)
	a.write(Ack{Key: key, Type: placeOrder, OrderID: orderID, Status: status, Outcome: outcome, Position: position}, err)
}

// result writes a result line of a bulk stream.
func (a *ackWriter) result(key, typ string, line []byte) {
	if a.w == nil {
		return
	}
	var result struct {
		Status   int    `json:"status"`
		OrderID  string `json:"order_id"`
		SKU      string `json:"sku"`
		Position string `json:"position"`
		Order    struct {
			Status string `json:"status"`
		} `json:"order"`
		Problem struct {
			Code string `json:"code"`
		} `json:"problem"`
	}
	err := json.Unmarshal(line, &result)
	ack := Ack{
		Key: key, Type: typ, OrderID: result.OrderID, SKU: result.SKU,
		Status: result.Status, Outcome: result.Order.Status, Position: result.Position,
	}
	if ack.Outcome == "" {
		ack.Outcome = result.Problem.Code
	}
	a.write(ack, err)
}

func (a *ackWriter) write(ack Ack, err error) {
	line, merr := json.Marshal(ack)
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

func (a *ackWriter) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// outcomeOf reads the order and its status, or the code of the refusal, from an answer.
func outcomeOf(body []byte) (orderID, outcome string, err error) {
	var a struct {
		OrderID string `json:"order_id"`
		Status  any    `json:"status"` // a string in an order, a number in a problem
		Code    string `json:"code"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return "", "", fmt.Errorf("an answer is not JSON: %w", err)
	}
	if s, ok := a.Status.(string); ok {
		return a.OrderID, s, nil
	}
	return a.OrderID, a.Code, nil
}
