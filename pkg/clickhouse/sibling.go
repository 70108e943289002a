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
	return &Conn{conn: conn, database: options.Auth.Database, user: c.user, address: c.address, server: c.server}, nil
}

// DropDatabase drops the database with everything in it. It does nothing when there is no such database.
func (c *Conn) DropDatabase(ctx context.Context) error {
	conn, err := driver.Open(c.server)
	if err != nil {
		return c.explain(ctx, "connect", err)
	}
	defer conn.Close()
	if err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+identifier(c.database)+" SYNC"); err != nil {
		return c.explain(ctx, "drop the database", err)
	}
	return nil
}
