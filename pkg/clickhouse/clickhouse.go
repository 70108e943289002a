// Package clickhouse is how Holdfast talks to ClickHouse: connect, migrate, insert by columns, ask. It is the
// only importer of clickhouse-go. It knows no table of its own but that of the migrations.
//
// Every error says what to do about it. Inserts are not deduplicated by ClickHouse: whoever inserts must be able
// to do so twice.
package clickhouse

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	lib "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// MinVersion is the oldest ClickHouse that will do.
const MinVersion = "25.3"

// DefaultDatabase is used when the address names none.
const DefaultDatabase = "holdfast"

// Limits of a connection.
const (
	dialTimeout  = 5 * time.Second
	readTimeout  = 60 * time.Second
	maxOpenConns = 16
	maxIdleConns = 8
)

// Conn is a pool of connections to one database. It is safe for concurrent use.
type Conn struct {
	conn     lib.Conn
	database string
	user     string
	address  string
	// server reaches the server without naming the database, which may not be there yet.
	server *driver.Options
}

// Rows are the rows of an answer; Close them.
type Rows = lib.Rows

// caParameter of an address names a file of certificates (PEM), one of which must have signed the server's.
const caParameter = "ca"

// Open reads the address and reaches nobody: the first call does. Addresses are
// http(s)://user:password@host:8123/database, or clickhouse://user:password@host:9000/database for the native protocol,
// with ?secure=true for TLS there. With TLS, ?ca=FILE names the CA where it is not one of the machine's.
func Open(dsn string) (*Conn, error) {
	options, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	if options.Auth.Database == "" || options.Auth.Database == "default" {
		options.Auth.Database = DefaultDatabase
	}
	options.DialTimeout, options.ReadTimeout = dialTimeout, readTimeout
	options.MaxOpenConns, options.MaxIdleConns = maxOpenConns, maxIdleConns
	conn, err := driver.Open(options)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	server := *options
	server.Auth.Database = "default"
	return &Conn{
		conn: conn, database: options.Auth.Database, user: options.Auth.Username,
		address: strings.Join(options.Addr, ","), server: &server,
	}, nil
}

// parse takes ours out of the address before the driver reads it.
func parse(dsn string) (*driver.Options, error) {
	base, query, _ := strings.Cut(dsn, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters in the address of ClickHouse, behind its ?, cannot be read: write %25 for a % in them")
	}
	ca := parameters.Get(caParameter)
	parameters.Del(caParameter)
	if strings.HasPrefix(base, "https://") {
		parameters.Set("secure", "true") // the driver wants it said twice
	}
	if len(parameters) > 0 {
		base += "?" + parameters.Encode()
	}
	options, err := driver.ParseDSN(base)
	if err != nil {
		return nil, fmt.Errorf("the address of ClickHouse is none, use http://host:8123/%s or clickhouse://host:9000/%s: %w",
			DefaultDatabase, DefaultDatabase, withoutPassword(err, base))
	}
	if ca == "" {
		return options, nil
	}
	if options.TLS == nil {
		return nil, errors.New("the address of ClickHouse names a CA but no TLS: use https://, or clickhouse:// with secure=true")
	}
	options.TLS.RootCAs, err = readCA(ca)
	return options, err
}

func readCA(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the CA of ClickHouse: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the CA of ClickHouse: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// withoutPassword keeps the address, which may hold a password, out of logs.
func withoutPassword(err error, dsn string) error {
	return errors.New(strings.ReplaceAll(err.Error(), dsn, "…"))
}

// Database is the name of the database.
func (c *Conn) Database() string { return c.database }

// Close releases the connections.
func (c *Conn) Close() error { return c.conn.Close() }

// Ping asks for an answer, whether the database is there or not, and checks that the server is new enough.
func (c *Conn) Ping(ctx context.Context) error {
	conn, err := driver.Open(c.server)
	if err != nil {
		return c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	return c.checkVersion(ctx, conn)
}

func (c *Conn) checkVersion(ctx context.Context, conn lib.Conn) error {
	var version string
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return c.explain(ctx, "ask for the version", err)
	}
	if !atLeast(version, MinVersion) {
		return &VersionError{fmt.Sprintf("ClickHouse at %s is version %s: Holdfast needs %s or newer", c.address, version, MinVersion)}
	}
	return nil
}

// atLeast compares the first two numbers of versions.
func atLeast(version, minimum string) bool {
	have, want := strings.SplitN(version, ".", 3), strings.SplitN(minimum, ".", 3)
	for i := range 2 {
		h, w := number(have, i), number(want, i)
		if h != w {
			return h > w
		}
	}
	return true
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}

// Settings are of one query; values are numbers or strings.
type Settings map[string]any

// Parameters are the values of {name:Type} in a query. They never become part of its text.
type Parameters map[string]string

// Query asks. The rows must be closed.
func (c *Conn) Query(ctx context.Context, query string, settings Settings, params Parameters) (Rows, error) {
	rows, err := c.conn.Query(queryContext(ctx, settings, params), query)
	if err != nil {
		return nil, c.explain(ctx, "query", err)
	}
	return rows, nil
}

// Each asks and hands each row to scan, which calls rows.Scan once.
func (c *Conn) Each(ctx context.Context, query string, settings Settings, params Parameters, scan func(Rows) error) error {
	rows, err := c.Query(ctx, query, settings, params)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("ClickHouse: read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return c.explain(ctx, "query", err)
	}
	return nil
}

// Exec runs a statement without an answer.
func (c *Conn) Exec(ctx context.Context, statement string, settings Settings, params Parameters) error {
	if err := c.conn.Exec(queryContext(ctx, settings, params), statement); err != nil {
		return c.explain(ctx, "execute", err)
	}
	return nil
}

func queryContext(ctx context.Context, settings Settings, params Parameters) context.Context {
	var options []driver.QueryOption
	if len(settings) > 0 {
		options = append(options, driver.WithSettings(driver.Settings(settings)))
	}
	if len(params) > 0 {
		escaped := make(driver.Parameters, len(params))
		for name, value := range params {
			escaped[name] = parameterEscapes.Replace(value)
		}
		options = append(options, driver.WithParameters(escaped))
	}
	return driver.Context(ctx, options...)
}

// parameterEscapes: ClickHouse reads parameters in its escaped text format.
var parameterEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "'", `\'`)
