package analytics_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// sink collects a whole report. It refuses rows from refuseAt on.
type sink struct {
	analytics.Report
	columns   []string
	begun     int
	refuseAt  int
	forgetful bool // it counts rows, and does not keep them
	rows      int
}

var errRefused = errors.New("refused")

func (s *sink) Begin(columns []string) error {
	s.begun++
	s.columns = columns
	return nil
}

func (s *sink) Row(values []string) error {
	if s.rows++; s.refuseAt > 0 && s.rows == s.refuseAt {
		return errRefused
	}
	if !s.forgetful {
		s.Rows = append(s.Rows, slices.Clone(values))
	}
	return nil
}

// insertSales inserts rows of one item each.
func (f *fixture) insertSales(rows string) {
	f.execute("INSERT INTO sales (offset, order_id, sku, currency, reason, quantity, amount_micros, counted_at) " +
		"SELECT number, toString(number), toString(number), 'GBP', 'confirmed', 1, 1000000, '2026-01-01 00:00:00' " +
		"FROM numbers(" + rows + ")")
}

// A report that breaks off is an error, wherever the connection ends. So is one whose sink refuses a row.
func TestAStreamThatBreaksOffIsAnError(t *testing.T) {
	f := newFixture(t)
	migrations, err := analytics.Migrations()
	if err == nil {
		err = f.conn.Migrate(f.ctx, migrations)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.insertSales("150000")
	q := analytics.ReportQuery{By: analytics.BySKU}
	wire := newWire(t, f.dsn)
	conn := openAt(t, wire.dsn)
	whole := &sink{forgetful: true}
	if err := analytics.NewReports(conn).StreamRevenue(f.ctx, q, whole); err != nil || whole.rows != 150_000 {
		t.Fatalf("%d rows: %v", whole.rows, err)
	}
	refusing := &sink{forgetful: true, refuseAt: 1_000}
	if err := analytics.NewReports(f.conn).StreamRevenue(f.ctx, q, refusing); !errors.Is(err, errRefused) ||
		refusing.rows != 1_000 {
		t.Errorf("after row %d: %v", refusing.rows, err)
	}
	sent := wire.sent.Load()
	wire.limit.Store(sent + sent/2)
	broken := &sink{forgetful: true}
	if err := analytics.NewReports(conn).StreamRevenue(f.ctx, q, broken); err == nil || broken.rows >= 150_000 {
		t.Errorf("cut off, there are %d rows: %v", broken.rows, err)
	}
	none := &sink{}
	if err := analytics.NewReports(conn).StreamRevenue(f.ctx, q, none); err == nil || none.begun != 0 {
		t.Errorf("without a connection: begun %d times, %v", none.begun, err)
	}
}

// A whole report that takes more than it may ends with an error that says so, and what to do.
func TestAWholeReportHasLimits(t *testing.T) {
	f := newFixture(t)
	migrations, err := analytics.Migrations()
	if err == nil {
		err = f.conn.Migrate(f.ctx, migrations)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.insertSales("300000")
	for name, c := range map[string]struct {
		limits analytics.Limits
		want   string
	}{
		"memory": {analytics.Limits{Time: time.Minute, Memory: 8 << 20}, "more than the 1m0s or the 8 MiB of memory"},
		"time":   {analytics.Limits{Time: time.Millisecond, Memory: 1 << 30}, "more than the 1ms or the 1024 MiB"},
	} {
		reports := analytics.NewReports(f.conn)
		reports.LimitWhole(c.limits)
		var much *analytics.ReportTooLargeError
		err := reports.StreamRevenue(f.ctx, analytics.ReportQuery{By: analytics.BySKU}, &sink{forgetful: true})
		if !errors.As(err, &much) || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "ask for a shorter time") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "memory" && !clickhouse.IsTooMuch(err) {
			t.Errorf("ClickHouse has not refused it: %v", much.Err)
		}
	}
	whole := &sink{forgetful: true}
	err = analytics.NewReports(f.conn).StreamRevenue(f.ctx, analytics.ReportQuery{By: analytics.BySKU}, whole)
	if err != nil || whole.rows != 300_000 {
		t.Errorf("within the limits: %d rows, %v", whole.rows, err)
	}
}

// wire is a connection to ClickHouse that can be cut.
type wire struct {
	listener net.Listener
	dsn      string
	isCut    atomic.Bool
	// sent are the bytes that clients got. Beyond limit the wire is cut; 0: it is not.
	sent, limit atomic.Int64
	open        chan net.Conn
}

func newWire(t *testing.T, dsn string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(dsn, "://")
	authority, database, _ := strings.Cut(rest, "/")
	address := authority[strings.LastIndex(authority, "@")+1:]
	w := &wire{listener: listener, open: make(chan net.Conn, 100)}
	w.dsn = "http://" + authority[:len(authority)-len(address)] + listener.Addr().String() + "/" + database
	t.Cleanup(w.cut)
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			w.open <- near
			w.open <- far
			go func() { _, _ = io.Copy(far, near) }()
			go func() { _, _ = io.Copy(w.answers(near), far) }()
		}
	}()
	return w
}

// answers counts what is sent to a client.
func (w *wire) answers(to io.Writer) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		if limit := w.limit.Load(); w.sent.Add(int64(len(p))) > limit && limit > 0 {
			w.cut()
		}
		return to.Write(p)
	})
}

type writerFunc func(p []byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// cut ends all connections, and takes no more.
func (w *wire) cut() {
	if w.isCut.Swap(true) {
		return
	}
	w.listener.Close()
	for len(w.open) > 0 {
		(<-w.open).Close()
	}
}
