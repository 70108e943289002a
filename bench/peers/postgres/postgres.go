// Package postgres has the three peers that keep stock and orders in PostgreSQL. schema.sql has the tables, and what
// each peer asks of them.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast/holdfast/bench/peers/shop"
)

//go:embed schema.sql
var schema string

// States that PostgreSQL gives errors.
const (
	stateShort    = "HF409" // schema.sql raises it
	stateDeadlock = "40P01"
	stateUnique   = "23505"
)

// maxTries bounds how often a transaction is tried that another one ended.
const maxTries = 10

// Create makes the tables in an empty database.
func Create(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, schema); err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	return nil
}

// connect opens a pool and its connections, so that none is opened while orders wait.
func connect(ctx context.Context, dsn string, connections int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("address of PostgreSQL: %w", err)
	}
	cfg.MaxConns, cfg.MinConns = int32(connections), int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return pool, pool.Ping(ctx)
}

// server is what the peers share: connections, and stock that has come.
type server struct {
	pool *pgxpool.Pool
	// unsettled is whether stock has come since the tables of stock were analysed.
	unsettled atomic.Bool
}

// Close implements shop.Store.
func (s *server) Close() { s.pool.Close() }

// settle lets PostgreSQL look at its tables before the first order after stock has come, as autovacuum would within a
// minute: plans that were made for empty tables would stay.
func (s *server) settle(ctx context.Context) error {
	if !s.unsettled.Load() || !s.unsettled.CompareAndSwap(true, false) {
		return nil
	}
	_, err := s.pool.Exec(ctx, "VACUUM (ANALYZE) stock, units") //nolint:misspell // SQL
	return err
}

// Function is peer (a): one call for each order.
type Function struct{ server }

// NewFunction connects to the database.
func NewFunction(ctx context.Context, dsn string, connections int) (*Function, error) {
	pool, err := connect(ctx, dsn, connections)
	return &Function{server{pool: pool}}, err
}

// Receive implements shop.Store.
func (f *Function) Receive(ctx context.Context, sku string, quantity int64) error {
	return f.receive(ctx, sku, quantity)
}

func (s *server) receive(ctx context.Context, sku string, quantity int64) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO stock (sku, on_hand) VALUES ($1, $2)
		ON CONFLICT (sku) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand`, sku, quantity)
	s.unsettled.Store(true)
	return err
}

// Place implements shop.Store.
func (f *Function) Place(ctx context.Context, o *shop.Order) (int64, error) { return f.place(ctx, o) }

func (s *server) place(ctx context.Context, o *shop.Order) (number int64, err error) {
	if err := s.settle(ctx); err != nil {
		return 0, err
	}
	var known []byte
	skus, quantities := needsOf(o)
	args := append(orderArgs(o), skus, quantities)
	err = retry(func() error {
		return s.pool.QueryRow(ctx, "SELECT o_number, o_known FROM place_order($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
			args...).Scan(&number, &known)
	})
	if state, sku := stateOf(err); state == stateShort {
		short := &shop.ShortError{SKU: sku}
		err := s.pool.QueryRow(ctx, "SELECT coalesce(sum(on_hand - reserved), 0)::bigint FROM stock WHERE sku = $1", sku).
			Scan(&short.Available)
		return 0, errors.Join(short, err)
	}
	return number, reused(o, known, err)
}

// orderArgs are the arguments that both functions for one order begin with.
func orderArgs(o *shop.Order) []any {
	n := len(o.Lines)
	skus, quantities, prices := make([]string, n), make([]int64, n), make([]int64, n)
	for i, l := range o.Lines {
		skus[i], quantities[i], prices[i] = l.SKU, l.Quantity, l.UnitPriceMicros
	}
	return []any{
		o.ID, o.Fingerprint[:], o.CustomerID, o.Currency, o.TotalMicros, skus, quantities, prices, string(o.Body),
	}
}

func needsOf(o *shop.Order) (skus []string, quantities []int64) {
	for _, need := range o.Needs {
		skus, quantities = append(skus, need.SKU), append(quantities, need.Quantity)
	}
	return skus, quantities
}

// reused is the error of an order that was there before, if that had another body.
func reused(o *shop.Order, known []byte, err error) error {
	if err == nil && known != nil && string(known) != string(o.Fingerprint[:]) {
		return shop.ErrReused
	}
	return err
}

// retry tries a transaction again that was ended because of a deadlock.
func retry(try func() error) (err error) {
	for range maxTries {
		if err = try(); err == nil {
			return nil
		}
		if state, _ := stateOf(err); state != stateDeadlock {
			return err
		}
	}
	return err
}

// stateOf is the state and the message of an error that PostgreSQL has answered.
func stateOf(err error) (state, message string) {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code, answer.Message
	}
	return "", ""
}

// Units is peer (b): a row for each unit.
type Units struct {
	server
	// from has the unit of each SKU from which on free ones are searched.
	from sync.Map
}

// NewUnits connects to the database.
func NewUnits(ctx context.Context, dsn string, connections int) (*Units, error) {
	pool, err := connect(ctx, dsn, connections)
	return &Units{server: server{pool: pool}}, err
}

// Receive implements shop.Store.
func (u *Units) Receive(ctx context.Context, sku string, quantity int64) error {
	_, err := u.pool.Exec(ctx, `WITH r AS (
			INSERT INTO received VALUES ($1, $2)
			ON CONFLICT (sku) DO UPDATE SET units = received.units + excluded.units RETURNING units)
		INSERT INTO units SELECT $1, generate_series(units - $2 + 1, units) FROM r`, sku, quantity)
	u.unsettled.Store(true)
	return err
}

// Place implements shop.Store.
func (u *Units) Place(ctx context.Context, o *shop.Order) (number int64, err error) {
	if err := u.settle(ctx); err != nil {
		return 0, err
	}
	var known []byte
	var last []int64
	skus, quantities := needsOf(o)
	from := make([]int64, len(skus))
	for i, sku := range skus {
		if unit, ok := u.from.Load(sku); ok {
			from[i], _ = unit.(int64)
		}
	}
	args := append(orderArgs(o), skus, quantities, from)
	err = retry(func() error {
		return u.pool.QueryRow(ctx,
			"SELECT o_number, o_known, o_last FROM place_order_of_units($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
			args...).Scan(&number, &known, &last)
	})
	if state, sku := stateOf(err); state == stateShort {
		short := &shop.ShortError{SKU: sku}
		err := u.pool.QueryRow(ctx, "SELECT count(*) FROM units WHERE sku = $1", sku).Scan(&short.Available)
		return 0, errors.Join(short, err)
	}
	for i, unit := range last {
		u.from.Store(skus[i], unit+1) // one that is too far costs a second search, and no unit
	}
	return number, reused(o, known, err)
}

// Batch is peer (c): orders that come at the same time share a transaction.
type Batch struct {
	server
	gatherer *shop.Gatherer
}

// maxBatch is how many orders a transaction has at most.
const maxBatch = 2_000

// NewBatch connects to the database. workers is how many batches there are at the same time.
func NewBatch(ctx context.Context, dsn string, workers int) (*Batch, error) {
	pool, err := connect(ctx, dsn, workers)
	b := &Batch{server: server{pool: pool}}
	if err == nil {
		b.gatherer = shop.NewGatherer(workers, maxBatch, b.placeAll)
	}
	return b, err
}

// Close implements shop.Store.
func (b *Batch) Close() {
	b.gatherer.Close()
	b.server.Close()
}

// Receive implements shop.Store.
func (b *Batch) Receive(ctx context.Context, sku string, quantity int64) error {
	return b.receive(ctx, sku, quantity)
}

// Place implements shop.Store.
func (b *Batch) Place(ctx context.Context, o *shop.Order) (int64, error) {
	return b.gatherer.Place(ctx, o)
}

// placeAll places a batch. Where not all of its orders can be placed it is halved, until an order is alone, which then
// gets its own answer.
func (b *Batch) placeAll(ctx context.Context, orders []*shop.Order, outcomes []shop.Outcome) {
	if len(orders) == 1 {
		outcomes[0].Number, outcomes[0].Err = b.place(ctx, orders[0])
		return
	}
	numbers, err := b.transaction(ctx, orders)
	switch state, _ := stateOf(err); {
	case err == nil:
		for i, o := range orders {
			outcomes[i].Number = numbers[o.ID]
		}
	case state == stateShort || state == stateUnique:
		half := len(orders) / 2
		b.placeAll(ctx, orders[:half], outcomes[:half])
		b.placeAll(ctx, orders[half:], outcomes[half:])
	default:
		for i := range outcomes {
			outcomes[i].Err = err
		}
	}
}

func (b *Batch) transaction(ctx context.Context, orders []*shop.Order) (numbers map[uuid.UUID]int64, err error) {
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	args := batchArgs(orders)
	err = retry(func() error {
		rows, err := b.pool.Query(ctx,
			"SELECT o_order_id, o_number FROM place_orders($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)", args...)
		if err != nil {
			return err
		}
		numbers = make(map[uuid.UUID]int64, len(orders))
		var id uuid.UUID
		var number int64
		_, err = pgx.ForEachRow(rows, []any{&id, &number}, func() error { numbers[id] = number; return nil })
		return err
	})
	return numbers, err
}
