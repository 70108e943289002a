package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
)

// proxied is a fixture whose mirror uses ClickHouse through a proxy. The test itself uses ClickHouse directly.
type proxied struct {
	*fixture
	proxy  *chdbtest.Proxy
	behind *clickhouse.Conn
	http   *httptest.Server
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	address := chdbtest.DatabaseOn(chdbtest.Server(t))
	f, proxy := newFixtureAt(t, address), chdbtest.NewTLSProxy(t)
	dsn, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &proxied{fixture: f, proxy: proxy, behind: openAt(t, proxy.DSN(strings.TrimPrefix(dsn.Path, "/")))}
}

// start runs the mirror, with its readiness served over HTTP.
func (p *proxied) start() {
	p.t.Helper()
	m, _ := p.mirror(func(c *analytics.Config) { c.Conn = p.behind })
	server, err := httpapi.NewServer(httpapi.Config{
		Logger: slog.New(slog.DiscardHandler), Ready: m.Ready,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.http = httptest.NewServer(server.Handler())
	p.t.Cleanup(p.http.Close)
}

func (p *proxied) get(path string) (status int, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.http.URL+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// down waits until the readiness probe says that the mirror is down, and why, and checks the metrics.
func (p *proxied) down(why string) {
	p.t.Helper()
	p.eventually("not ready: "+why, func() bool {
		status, body := p.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, why)
	})
	if up, _ := logtest.Metric(p.t, p.metrics, "holdfast_mirror_up"); up != 0 {
		p.t.Errorf("%s: the metrics do not say that it is down", why)
	}
}

// up waits until the readiness probe says that the mirror is up again, and compares it with the log.
func (p *proxied) up() {
	p.t.Helper()
	p.eventually("ready", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	if up, _ := logtest.Metric(p.t, p.metrics, "holdfast_mirror_up"); up != 1 {
		p.t.Error("the metrics do not say that it is up")
	}
	p.exact()
}

const (
	noSpace = "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"
	noGrant = "projector: Not enough privileges. To execute this query, " +
		"it's necessary to have the grant INSERT(topic) ON holdfast.events. (ACCESS_DENIED)"
	noDatabaseGrant = "projector: Not enough privileges. To execute this query, " +
		"it's necessary to have the grant CREATE DATABASE ON holdfast.*. (ACCESS_DENIED)"
	noMemory = "Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)"
)

// ClickHouse stops, has no disk space, revokes a grant, or has no memory, and each time new events come. No event is
// lost, and none is counted twice.
func TestTheMirrorComesBackFromWhateverClickHouseDoes(t *testing.T) {
	p := newProxied(t)
	p.fill(0, 30)
	p.start()
	p.up()
	before := counter(t, p.fixture, "holdfast_mirror_restarts_total")
	p.proxy.Refuse()
	p.fill(30, 60)
	p.down("ClickHouse at " + p.proxy.Addr() + " does not answer")
	for i, fault := range []struct {
		chdbtest.Fault
		want string
	}{
		{
			chdbtest.Fault{Queries: "INSERT INTO", Code: 243, Message: noSpace},
			"ClickHouse's disk is full: free space or add a disk; the mirror goes on by itself",
		},
		{
			chdbtest.Fault{Queries: "INSERT INTO events", Code: 497, Message: noGrant},
			`the user \"projector\" lacks a grant: GRANT INSERT(topic) ON holdfast.events TO projector`,
		},
		{
			chdbtest.Fault{Queries: "INSERT INTO order_lines", Code: 241, Message: noMemory},
			"ClickHouse has not the memory for it",
		},
	} {
		p.proxy.Fail(fault.Fault)
		p.fill(60+10*i, 70+10*i)
		p.down(fault.want)
	}
	p.proxy.Heal()
	p.up()
	if again := counter(t, p.fixture, "holdfast_mirror_restarts_total") - before; again < 4 {
		t.Errorf("it began again %v times", again)
	}
}

// An insert may write its rows and still return an error. The rows are then written again.
func TestAnInsertThatFailsAfterItsWorkDoublesNothing(t *testing.T) {
	for _, table := range []string{"events", "orders", "order_lines", "stock_ledger", "mirror_progress"} {
		t.Run(table, func(t *testing.T) {
			p := newProxied(t)
			p.fill(0, 20)
			p.proxy.Fail(chdbtest.Fault{Queries: "INSERT INTO " + table, Code: 243, Message: noSpace, Late: true})
			p.start()
			p.down("ClickHouse's disk is full")
			p.fill(20, 40)
			p.eventually("the rows are there", func() bool {
				n, err := p.ask(fmt.Sprintf("SELECT toInt64(count()) FROM %s", table))
				return err == nil && n > 0
			})
			p.proxy.Heal()
			p.up()
		})
	}
}

// A mirror whose user lacks a grant says which one, and begins once the user has it.
func TestTheMirrorStartsOnceItsUserMayDoWhatItDoes(t *testing.T) {
	p := newProxied(t)
	p.fill(0, 20)
	p.proxy.Fail(chdbtest.Fault{
		Queries: "CREATE DATABASE", Code: 497, Message: noDatabaseGrant,
	})
	p.start()
	p.down(`the user \"projector\" lacks a grant: GRANT CREATE DATABASE ON holdfast.* TO projector`)
	p.proxy.Fail(chdbtest.Fault{Code: 516, Message: "projector: Authentication failed. (AUTHENTICATION_FAILED)"})
	p.down("user or password is wrong")
	p.proxy.Heal()
	p.up()
}

// A table that was created again with another engine would count repeated rows twice. The mirror stops until it is
// rebuilt.
func TestAMirrorWhoseTableWasMadeAnewIsRebuilt(t *testing.T) {
	p := newProxied(t)
	p.fill(0, 20)
	p.start()
	p.up()
	for _, statement := range []string{
		"CREATE TABLE plain AS events ENGINE = MergeTree ORDER BY tuple()",
		"EXCHANGE TABLES plain AND events",
		"DROP TABLE plain",
	} {
		if err := p.conn.Exec(p.ctx, statement, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.proxy.Refuse() // ends the attempt; the next one checks the tables
	p.down("does not answer")
	p.proxy.Heal()
	p.down("events has the engine MergeTree and should have ReplacingMergeTree")
	if err := analytics.DropRows(context.WithoutCancel(p.ctx), p.conn); err != nil {
		t.Fatal(err)
	}
	p.up()
}

// A reader checks the tables before its first report, and again after a report has failed.
func TestReportsNoticeATableThatWasChanged(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	_, stop := f.mirror()
	f.exact()
	stop()
	reports := analytics.NewReports(f.conn)
	ask := func(r *analytics.Reports) error {
		if _, err := r.Await(f.ctx, eventlog.Position{}); err != nil {
			return err
		}
		_, err := r.Revenue(f.ctx, analytics.ReportQuery{By: analytics.ByCountry, Limit: 10})
		return err
	}
	if err := ask(reports); err != nil {
		t.Fatal(err)
	}
	if err := f.conn.Exec(f.ctx, "ALTER TABLE sales DROP COLUMN country", nil, nil); err != nil {
		t.Fatal(err)
	}
	var refused *clickhouse.Error
	err := ask(reports)
	if !errors.As(err, &refused) ||
		!strings.Contains(err.Error(), "a column is missing: the table was changed by hand") {
		t.Errorf("the first report after the change: %v", err)
	}
	for name, r := range map[string]*analytics.Reports{
		"the next one":           reports,
		"that of another reader": analytics.NewReports(f.conn),
	} {
		var schema *clickhouse.SchemaError
		if err := ask(r); !errors.As(err, &schema) || !strings.Contains(err.Error(), "sales.country is gone") ||
			!strings.Contains(err.Error(), "holdfast mirror rebuild") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
