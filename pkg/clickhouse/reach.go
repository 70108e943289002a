package clickhouse

import (
	"context"
	"fmt"
	"time"
)

// reachTimeout bounds how long Reach waits for an answer.
const reachTimeout = 10 * time.Second

// Reach asks whether a server answers at an address, and has the cluster if one is named. It changes nothing.
func Reach(ctx context.Context, address, cluster string) error {
	conn, err := OpenIn(address, cluster)
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
