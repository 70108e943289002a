// Package run starts Holdfast's services: the same functions for the binaries and for the embedded
// platform. It wires; it decides nothing.
package run

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

const checkTimeout = 10 * time.Second

// Check reaches the brokers and starts nothing.
func Check(ctx context.Context, cfg eventlog.Config) error {
	client, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("reach the brokers: %w", err)
	}
	return nil
}
