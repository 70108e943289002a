package compare

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	client "github.com/redis/go-redis/v9"

	"github.com/holdfast/holdfast/bench/peers/postgres"
	"github.com/holdfast/holdfast/bench/peers/redis"
	"github.com/holdfast/holdfast/bench/peers/shop"
)

// missing skips a test of a program that is not installed; make test-peers fails instead.
func missing(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("HOLDFAST_TEST_PEERS") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func order(t *testing.T, key, customer string, lines ...string) *shop.Order {
	t.Helper()
	for i, sku := range lines {
		lines[i] = `{"sku":"` + sku + `","quantity":2,"unit_price":"1.50"}`
	}
	body := `{"customer_id":"` + customer + `","currency":"GBP","lines":[` + strings.Join(lines, ",") + `]}`
	o, err := shop.ParseOrder(key, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// placeOrders places orders on a new store that has ten units of A and B each, and returns those that were placed: all
// of A, and two units of B are left. check finds nothing wrong.
func placeOrders(t *testing.T, store shop.Store, check func([]uuid.UUID) error) []uuid.UUID {
	t.Helper()
	ctx := t.Context()
	for range 2 {
		for _, sku := range []string{"A", "B"} {
			if err := store.Receive(ctx, sku, 5); err != nil {
				t.Fatal(err)
			}
		}
	}
	var placed []uuid.UUID
	place := func(o *shop.Order) int64 {
		number, err := store.Place(ctx, o)
		if err != nil {
			t.Fatalf("%v: %v", o.Needs, err)
		}
		placed = append(placed, o.ID)
		return number
	}
	first := place(order(t, "k1", "c", "B", "A", "B"))
	if again, err := store.Place(ctx, order(t, "k1", "c", "B", "A", "B")); err != nil || again != first {
		t.Errorf("a repeated order: %d, first %d: %v", again, first, err)
	}
	if _, err := store.Place(ctx, order(t, "k1", "d", "B", "A", "B")); !errors.Is(err, shop.ErrReused) {
		t.Errorf("a key with another body: %v", err)
	}
	// Ten callers want the last four pairs of A: four get them, however the orders are gathered.
	var mu sync.Mutex
	var callers sync.WaitGroup
	for n := range 10 {
		o := order(t, "caller"+string(rune('0'+n)), "c", "A")
		callers.Go(func() {
			_, err := store.Place(ctx, o)
			var short *shop.ShortError
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				placed = append(placed, o.ID)
			case !errors.As(err, &short) || short.SKU != "A":
				t.Errorf("an order that is short: %v", err)
			}
		})
	}
	callers.Wait()
	if len(placed) != 5 {
		t.Fatalf("%d of 4 pairs were sold", len(placed)-1)
	}
	// Nothing of an order stays if one of its SKUs is short.
	var short *shop.ShortError
	_, err := store.Place(ctx, order(t, "k3", "c", "B", "A"))
	if !errors.As(err, &short) || *short != (shop.ShortError{SKU: "A"}) {
		t.Errorf("an order of which one SKU is sold: %v", err)
	}
	place(order(t, "k4", "c", "B", "B"))
	if err := check(placed); err != nil {
		t.Error(err)
	}
	if err := check(append(placed, shop.OrderID("k3"))); err == nil {
		t.Error("an acknowledged order that is missing is not found")
	}
	return placed
}

// Each peer on PostgreSQL does the same, and a fault in its tables is found.
func TestPeersOnPostgres(t *testing.T) {
	_, err := findPostgres()
	missing(t, err)
	dir, err := os.MkdirTemp("", "peers-test-") // the path of a socket may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c, err := startCluster(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.stop() })
	for peer, open := range map[string]func(dsn string) (shop.Store, error){
		"function": func(dsn string) (shop.Store, error) { return postgres.NewFunction(t.Context(), dsn, 4) },
		"units":    func(dsn string) (shop.Store, error) { return postgres.NewUnits(t.Context(), dsn, 4) },
		"batch":    func(dsn string) (shop.Store, error) { return postgres.NewBatch(t.Context(), dsn, 1) },
	} {
		database, err := c.create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dsn := c.dsn(database)
		if err := postgres.Create(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
		store, err := open(dsn + session)
		if err != nil {
			t.Fatal(err)
		}
		check := func(ids []uuid.UUID) error { return postgres.Check(t.Context(), dsn, ids) }
		placed := placeOrders(t, store, check)
		store.Close()
		sold := "UPDATE stock SET reserved = reserved - 1 WHERE sku = 'B'"
		if peer == "units" {
			sold = "INSERT INTO units VALUES ('B', 1)"
		}
		for _, fault := range []struct{ statement, want string }{ // what is checked first comes last
			{"DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox)", "without an event in the outbox"},
			{"INSERT INTO order_lines VALUES (0, 1, 'A', 0, 0)", "lines without an order"},
			{sold, "of which orders have another quantity"},
		} {
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), fault.statement); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close(t.Context())
			if err := check(placed); err == nil || !strings.Contains(err.Error(), fault.want) {
				t.Errorf("%s: %s: %v", peer, fault.statement, err)
			}
		}
		if err := c.drop(t.Context(), database); err != nil {
			t.Error(err)
		}
	}
}

func TestThePeerOnRedis(t *testing.T) {
	program := os.Getenv("HOLDFAST_TEST_REDIS")
	if program == "" {
		program = "redis-server"
	}
	program, err := exec.LookPath(program)
	missing(t, err)
	dir, err := os.MkdirTemp("", "peers-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, socket, err := startRedisServer(t.Context(), program, dir, "always")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.stop(syscall.SIGKILL) })
	store, err := redis.Connect(t.Context(), socket, 2)
	if err != nil {
		t.Fatal(err)
	}
	check := func(ids []uuid.UUID) error { return redis.Check(t.Context(), socket, ids) }
	placed := placeOrders(t, store, check)
	store.Close()
	c := client.NewClient(&client.Options{Network: "unix", Addr: socket})
	defer func() { _ = c.Close() }()
	if err := c.Incr(t.Context(), "available:B").Err(); err != nil {
		t.Fatal(err)
	}
	if check(placed) == nil {
		t.Error("a unit that is sold and there is not found")
	}
}
