// Package clickhouse connects Holdfast to ClickHouse. It opens connections, applies migrations, checks that tables are
// as the migrations define them, inserts blocks of columns, and runs queries. It is the only package that imports
// clickhouse-go. The only table that it knows is schema_migrations; all others belong to its callers.
//
// Every error says what to do about it. ClickHouse does not deduplicate inserts here: a caller that retries an insert
// must use a table in which repeated rows do no harm.
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
	"github.com/prometheus/client_golang/prometheus"
)

// MinVersion is the oldest version of ClickHouse that Holdfast works with.
const MinVersion = "25.3"

// DefaultDatabase is used when the address names no database.
const DefaultDatabase = "holdfast"

// Limits of a connection.
const (
	dialTimeout = 5 * time.Second
	// readTimeout is how long ClickHouse may be silent. A deadline of the context replaces it: a query that is given ten
	// minutes may think for ten minutes before its first row.
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
	failures *prometheus.CounterVec // by operation
	cluster  string                 // empty: there is one server
	// server are the options for connecting to the server's default database. It is for work during which this
	// database may not exist: to create it, to drop it, or to ask for the version.
	server *driver.Options
}

// Rows are the rows of a result. The caller must close them.
type Rows = lib.Rows

// caParameter is the parameter of an address that names a PEM file with CA certificates. One of them must have signed
// the server's certificate.
const caParameter = "ca"

// Open parses the address. It does not connect: the first call of a method does.
//
// An address is http(s)://user:password@host:8123/database, or clickhouse://user:password@host:9000/database for the
// native protocol. There, ?secure=true turns TLS on. With TLS, ?ca=FILE names a CA that the machine does not trust by
// itself. ?cluster=NAME names the cluster whose replicas have the tables (InCluster).
func Open(dsn string) (*Conn, error) { return open(dsn, readTimeout) }

func open(dsn string, readTimeout time.Duration) (*Conn, error) {
	options, cluster, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	if options.Auth.Database == "" || options.Auth.Database == "default" {
		options.Auth.Database = DefaultDatabase
	}
	options.DialTimeout, options.ReadTimeout = dialTimeout, readTimeout
	options.TransportFunc = obeyDeadlines
	options.MaxOpenConns, options.MaxIdleConns = maxOpenConns, maxIdleConns
	if cluster != "" {
		options.Settings = clusterSettings()
	}
	conn, err := driver.Open(options)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	server := *options
	server.Auth.Database = "default"
	return &Conn{
		failures: newErrorsTotal(), conn: conn, database: options.Auth.Database, user: options.Auth.Username,
		address: strings.Join(options.Addr, ","), cluster: cluster, server: &server,
	}, nil
}

// CheckAddress says what is wrong with an address or the name of a cluster, and does not connect.
func CheckAddress(dsn, cluster string) error {
	dsn, err := InCluster(dsn, cluster)
	if err == nil {
		_, _, err = parse(dsn)
	}
	if err != nil {
		return fmt.Errorf("--clickhouse: %w", err)
	}
	return nil
}

// parse reads Holdfast's own parameters and removes them from the address, because the driver refuses unknown ones.
func parse(dsn string) (options *driver.Options, cluster string, err error) {
	base, query, _ := strings.Cut(dsn, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, "", errors.New("the parameters in the address of ClickHouse, behind its ?, cannot be read: " +
			"write %25 for a % in them")
	}
	ca, cluster := parameters.Get(caParameter), parameters.Get(clusterParameter)
	parameters.Del(caParameter)
	parameters.Del(clusterParameter)
	if cluster != "" && !clusterPattern.MatchString(cluster) {
		return nil, "", fmt.Errorf("the cluster %q in the address of ClickHouse has a name with other characters than "+
			"letters, digits, _, . and -", cluster)
	}
	if strings.HasPrefix(base, "https://") {
		parameters.Set("secure", "true") // the driver needs both the scheme and the parameter
	}
	if len(parameters) > 0 {
		base += "?" + parameters.Encode()
	}
	options, err = driver.ParseDSN(base)
	if err != nil {
		return nil, "", fmt.Errorf(
			"the address of ClickHouse is none, use http://host:8123/%s or clickhouse://host:9000/%s: %w",
			DefaultDatabase, DefaultDatabase, withoutPassword(err, base),
		)
	}
	if ca == "" {
		return options, cluster, nil
	}
	if options.TLS == nil {
		return nil, "", errors.New("the address of ClickHouse names a CA but no TLS: " +
			"use https://, or clickhouse:// with secure=true")
	}
	options.TLS.RootCAs, err = readCA(ca)
	return options, cluster, err
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

// withoutPassword removes the address from an error, so that a password in it does not reach the logs.
func withoutPassword(err error, dsn string) error {
	return errors.New(strings.ReplaceAll(err.Error(), dsn, "…"))
}

// Database is the name of the database.
func (c *Conn) Database() string { return c.database }

// Close closes the connections.
func (c *Conn) Close() error { return c.conn.Close() }

// Ping checks that the server answers and is new enough. The database need not exist.
func (c *Conn) Ping(ctx context.Context) error {
	conn, err := driver.Open(c.server)
	if err != nil {
		return c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	if err := c.checkVersion(ctx, conn); err != nil {
		return err
	}
	return c.checkCluster(ctx, conn)
}

func (c *Conn) checkVersion(ctx context.Context, conn lib.Conn) error {
	var version string
	if err := conn.QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return c.explain(ctx, "ask for the version", err)
	}
	if !atLeast(version, MinVersion) {
		return &VersionError{fmt.Sprintf("ClickHouse at %s is version %s: Holdfast needs %s or newer",
			c.address, version, MinVersion)}
	}
	return nil
}

// atLeast compares the first two numbers of two versions: 25.3.2.39 is at least 25.3.
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

func number(fields []string, i int) int {
	if i >= len(fields) {
		return 0
	}
	n, err := strconv.Atoi(fields[i])
	if err != nil {
		return 0
	}
	return n
}

// Settings are ClickHouse settings for one query. Values are numbers or strings.
type Settings map[string]any

// Parameters are the values for the placeholders {name:Type} of a query. They are sent apart from its text, so that
// they need no quoting.
type Parameters map[string]string

// Query runs a query. The caller must close the rows.
func (c *Conn) Query(
	ctx context.Context, query string, settings Settings, params Parameters,
) (rows Rows, err error) {
	err = c.retried(ctx, func() (err error) {
		rows, err = c.conn.Query(queryContext(ctx, settings, params), query)
		return c.explain(ctx, "query", err)
	})
	return rows, err
}

// Each runs a query and calls scan for each row. scan must call rows.Scan once.
func (c *Conn) Each(
	ctx context.Context,
	query string,
	settings Settings,
	params Parameters,
	scan func(Rows) error,
) error {
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

// Exec runs a statement that has no result.
func (c *Conn) Exec(ctx context.Context, statement string, settings Settings, params Parameters) error {
	statement = OnCluster(statement, c.cluster)
	return c.retried(ctx, func() error {
		return c.explain(ctx, "execute", c.conn.Exec(queryContext(ctx, settings, params), statement))
	})
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

// Describe returns the names and types of the columns that a query would have. It does not run the query.
func (c *Conn) Describe(ctx context.Context, query string, settings Settings) (columns []TableColumn, err error) {
	err = c.Each(ctx, "DESCRIBE ("+query+")", settings, nil, func(rows Rows) error {
		targets := make([]any, len(rows.Columns()))
		for i := range targets {
			targets[i] = new(string)
		}
		err := rows.Scan(targets...)
		columns = append(columns, TableColumn{Name: *targets[0].(*string), Type: *targets[1].(*string)})
		return err
	})
	return columns, err
}

// Literals are texts as a list of SQL literals: 'a', 'b'. Use it where a parameter cannot be: for names and lists.
func Literals(texts ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	literals := make([]string, len(texts))
	for i, text := range texts {
		literals[i] = "'" + escape.Replace(text) + "'"
	}
	return strings.Join(literals, ", ")
}

// parameterEscapes escapes a value for a parameter: ClickHouse reads parameters in its escaped text format.
var parameterEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "'", `\'`)
