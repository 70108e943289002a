package containers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/holdfast/holdfast/pkg/client"
)

const (
	// received units of each SKU are there before the first order.
	received = 1_000_000
	// callers place orders at the same time.
	callers = 8
	// ordersBetween orders are acknowledged between two faults.
	ordersBetween = 200
	// orderPence is what an order costs.
	orderPence = 1510
)

// lines are those of every order.
var lines = []client.OrderLine{
	{SKU: "A1", Quantity: 2, UnitPrice: "2.55"},
	{SKU: "B2", Quantity: 1, UnitPrice: "10.00"},
}

// receive makes the items, and puts units of each into stock.
func (p *platform) receive(ctx context.Context, commands *client.Client) {
	p.t.Helper()
	for _, line := range lines {
		if _, err := commands.RegisterItem(ctx, line.SKU, client.RegisterItem{Description: "Item " + line.SKU}); err != nil {
			p.t.Fatal(err)
		}
		receipt := client.ReceiveStock{Quantity: received, Reference: "PO-" + line.SKU}
		if _, err := commands.ReceiveStock(ctx, line.SKU, receipt); err != nil {
			p.t.Fatal(err)
		}
	}
}

// load places orders until it is stopped, and keeps what was acknowledged.
type load struct {
	platform *platform
	cancel   context.CancelFunc
	callers  sync.WaitGroup

	mu     sync.Mutex
	orders map[string]string // positions by order ID
	acks   strings.Builder   // as holdfast bench --acks writes them, for verify
	err    error
}

// startLoad places orders until stop. Each is tried, under one key, until it is acknowledged.
func (p *platform) startLoad(ctx context.Context, commands *client.Client) *load {
	l := &load{platform: p, orders: map[string]string{}}
	stopping, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	p.t.Cleanup(func() { cancel(); l.callers.Wait() })
	for caller := range callers {
		l.callers.Go(func() {
			for n := 0; stopping.Err() == nil; n++ {
				if err := l.place(ctx, commands, fmt.Sprintf("o-%d-%d", caller, n)); err != nil {
					l.fail(err)
					return
				}
			}
		})
	}
	return l
}

// place places one order. What ends before an answer is tried again.
func (l *load) place(ctx context.Context, commands *client.Client, key string) error {
	order := client.PlaceOrder{
		CustomerID: "c-1", Country: "GB", Currency: "GBP", Lines: lines, PaymentTerms: client.OnAccount,
	}
	for {
		answer, err := commands.PlaceOrder(ctx, order, client.Key(key))
		if err == nil {
			return l.acknowledged(key, answer)
		}
		problem, refused := errors.AsType[*client.Problem](err)
		if refused && problem.Status < 500 && problem.Status != 429 || ctx.Err() != nil {
			return fmt.Errorf("order %s: %w", key, err)
		}
	}
}

func (l *load) acknowledged(key string, answer *client.OrderAnswer) error {
	line, err := json.Marshal(map[string]any{
		"key": key, "type": "place_order", "order_id": answer.Value.OrderID, "status": answer.Status,
		"outcome": answer.Value.Status, "position": answer.Position,
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders[answer.Value.OrderID] = answer.Position
	l.acks.Write(append(line, '\n'))
	return err
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = errors.Join(l.err, err)
}

// awaitMore waits until n more orders are acknowledged.
func (l *load) awaitMore(ctx context.Context, n int) {
	l.platform.t.Helper()
	l.mu.Lock()
	before := len(l.orders)
	l.mu.Unlock()
	l.platform.await(ctx, "orders are acknowledged", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err != nil {
			l.platform.t.Fatal(l.err)
		}
		if len(l.orders) < before+n {
			return fmt.Errorf("%d of %d", len(l.orders)-before, n)
		}
		return nil
	})
}

// stop waits for the answers to what is under way.
func (l *load) stop() {
	l.platform.t.Helper()
	l.cancel()
	l.callers.Wait()
	if l.err != nil {
		l.platform.t.Fatal(l.err)
	}
}
