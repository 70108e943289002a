// Package redis has the peer that keeps stock and orders in Redis. place.lua is what it asks of Redis.
package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/holdfast/holdfast/bench/peers/shop"
)

//go:embed place.lua
var placeScript string

// Keys in Redis. available: is how much of a SKU can be sold, received: how much of it ever came.
const (
	orderKey     = "order:"
	availableKey = "available:"
	receivedKey  = "received:"
)

// maxBatch is how many scripts go to Redis at once.
const maxBatch = 2_000

// Store is peer (d): a script for each order. Scripts of orders that come at the same time share a round trip.
type Store struct {
	client   *redis.Client
	gatherer *shop.Gatherer
	sha      string
}

// Connect connects to the Redis at a Unix socket. workers is how many round trips there are at the same time.
func Connect(ctx context.Context, socket string, workers int) (*Store, error) {
	s := &Store{client: redis.NewClient(&redis.Options{Network: "unix", Addr: socket, PoolSize: workers})}
	var err error
	if s.sha, err = s.client.ScriptLoad(ctx, placeScript).Result(); err != nil {
		return nil, fmt.Errorf("load the script into Redis: %w", err)
	}
	s.gatherer = shop.NewGatherer(workers, maxBatch, s.placeAll)
	return s, nil
}

// Close implements shop.Store.
func (s *Store) Close() {
	s.gatherer.Close()
	_ = s.client.Close()
}

// Receive implements shop.Store.
func (s *Store) Receive(ctx context.Context, sku string, quantity int64) error {
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.IncrBy(ctx, availableKey+sku, quantity)
		p.IncrBy(ctx, receivedKey+sku, quantity)
		return nil
	})
	return err
}

// Place implements shop.Store.
func (s *Store) Place(ctx context.Context, o *shop.Order) (int64, error) {
	return s.gatherer.Place(ctx, o)
}

func (s *Store) placeAll(ctx context.Context, orders []*shop.Order, outcomes []shop.Outcome) {
	answers := make([]*redis.Cmd, len(orders))
	pipe := s.client.Pipeline()
	for i, o := range orders {
		keys, args := make([]string, 0, 1+len(o.Needs)), make([]any, 0, 1+len(o.Needs))
		keys = append(keys, orderKey+string(o.ID[:]))
		args = append(args, string(o.Fingerprint[:])+string(o.Body))
		for _, need := range o.Needs {
			keys, args = append(keys, availableKey+need.SKU), append(args, need.Quantity)
		}
		answers[i] = pipe.EvalSha(ctx, s.sha, keys, args...)
	}
	_, _ = pipe.Exec(ctx) // each answer has its own error
	for i, o := range orders {
		outcomes[i].Number, outcomes[i].Err = outcomeOf(o, answers[i])
	}
}

// What place.lua returns first.
const (
	placed   = 1
	repeated = 0
	short    = -1
)

var errAnswer = errors.New("an answer of the script is not as place.lua has it")

func outcomeOf(o *shop.Order, cmd *redis.Cmd) (number int64, err error) {
	answer, err := cmd.Slice()
	if err != nil {
		return 0, err
	}
	if len(answer) < 2 {
		return 0, errAnswer
	}
	n, _ := answer[1].(int64)
	switch answer[0] {
	case int64(placed):
		return n, nil
	case int64(repeated):
		kept, _ := answer[1].(string)
		return repeatedOrder(o, kept)
	case int64(short):
		if len(answer) == 3 && n >= 1 && n <= int64(len(o.Needs)) {
			available, _ := answer[2].(int64)
			return 0, &shop.ShortError{SKU: o.Needs[n-1].SKU, Available: available}
		}
	}
	return 0, errAnswer
}

// repeatedOrder is the number of an order that is there already.
func repeatedOrder(o *shop.Order, kept string) (int64, error) {
	number, order, _ := strings.Cut(kept, " ")
	if !strings.HasPrefix(order, string(o.Fingerprint[:])) {
		return 0, shop.ErrReused
	}
	return strconv.ParseInt(number, 10, 64)
}

// Check reads Redis after a run: each of the orders must be there, and of each SKU as much must be gone as orders have.
func Check(ctx context.Context, socket string, acknowledged []uuid.UUID) error {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer func() { _ = client.Close() }()
	sold := map[string]int64{}
	for len(acknowledged) > 0 {
		n := min(len(acknowledged), maxBatch)
		keys := make([]string, n)
		for i, id := range acknowledged[:n] {
			keys[i] = orderKey + string(id[:])
		}
		orders, err := client.MGet(ctx, keys...).Result()
		if err != nil {
			return fmt.Errorf("read orders: %w", err)
		}
		for i, value := range orders {
			kept, there := value.(string)
			if !there {
				return fmt.Errorf("order %s was acknowledged, and is not in Redis", acknowledged[i])
			}
			if err := addSold(sold, kept); err != nil {
				return err
			}
		}
		acknowledged = acknowledged[n:]
	}
	for sku, quantity := range sold {
		levels, err := client.MGet(ctx, receivedKey+sku, availableKey+sku).Result()
		if err != nil {
			return fmt.Errorf("read stock: %w", err)
		}
		var received, available int64
		if _, err := fmt.Sscan(fmt.Sprintln(levels...), &received, &available); err != nil {
			return fmt.Errorf("stock of %s: %w", sku, err)
		}
		if available < 0 || received-available != quantity {
			return fmt.Errorf("%s: %d received, %d available, and orders have %d", sku, received, available, quantity)
		}
	}
	return nil
}

// addSold adds the lines of an order, as it is kept.
func addSold(sold map[string]int64, kept string) error {
	_, order, _ := strings.Cut(kept, " ")
	if len(order) < len(shop.Order{}.Fingerprint) {
		return errAnswer
	}
	o, err := shop.ParseOrder("check", []byte(order[len(shop.Order{}.Fingerprint):]))
	if err != nil {
		return err
	}
	for _, need := range o.Needs {
		sold[need.SKU] += need.Quantity
	}
	return nil
}
