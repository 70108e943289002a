package clickhouse

import (
	"context"
	"fmt"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Sibling connects to another database on the same server. Its name is this database's with a suffix: the sibling
// "verify" of the database holdfast is holdfast_verify. The database need not exist yet.
func (c *Conn) Sibling(suffix string) (*Conn, error) {
	options := *c.server
	options.Auth.Database = c.database + "_" + suffix
	conn, err := driver.Open(&options)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	return &Conn{
		failures: c.failures, conn: conn, database: options.Auth.Database, user: c.user, address: c.address,
		cluster: c.cluster, server: c.server,
	}, nil
}

// DropDatabase drops the database with everything in it. It does nothing when there is no such database.
func (c *Conn) DropDatabase(ctx context.Context) error {
	conn, err := driver.Open(c.server)
	if err != nil {
		return c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	drop := OnCluster("DROP DATABASE IF EXISTS "+identifier(c.database)+" SYNC", c.cluster)
	if err := conn.Exec(ctx, drop); err != nil {
		return c.explain(ctx, "drop the database", err)
	}
	return nil
}

// Tables are the tables of the database, each with its columns. There are none when the database does not exist.
func (c *Conn) Tables(ctx context.Context) (map[string][]TableColumn, error) {
	conn, err := driver.Open(c.server)
	if err != nil {
		return nil, c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	live, err := (&Conn{conn: conn, database: c.database, user: c.user, address: c.address}).liveTables(ctx)
	tables := make(map[string][]TableColumn, len(live))
	for name, table := range live {
		tables[name] = table.columns
	}
	return tables, err
}

// Qualified is the name of a table together with its database, for statements about two databases.
func (c *Conn) Qualified(table string) string {
	return identifier(c.database) + "." + identifier(table)
}

// Exchange swaps a table of this database with the one of the same name in a sibling, at one moment: every query reads
// either of them whole. Both databases must have the engine Atomic. A table keeps its UUID. In a cluster it is one
// moment for each replica, not for all of them.
func (c *Conn) Exchange(ctx context.Context, sibling *Conn, table string) error {
	return c.Exec(ctx, "EXCHANGE TABLES "+c.Qualified(table)+" AND "+sibling.Qualified(table), nil, nil)
}

// Take moves a table that this database does not have from a sibling into this database.
func (c *Conn) Take(ctx context.Context, sibling *Conn, table string) error {
	return c.Exec(ctx, "RENAME TABLE "+sibling.Qualified(table)+" TO "+c.Qualified(table), nil, nil)
}
