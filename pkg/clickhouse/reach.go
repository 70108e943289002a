package clickhouse

import (
	"context"
	"fmt"
	"time"
)

// reachTimeout bounds how long Reach waits for an answer.
const reachTimeout = 10 * time.Second

// Reach asks whether a server answers at an address, and changes nothing.
func Reach(ctx context.Context, address string) error {
	conn, err := Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("reach ClickHouse: %w", err)
	}
	return nil
}
