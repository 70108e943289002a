package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
)

const (
	checkTimeout = 10 * time.Second
	// readyTimeout is given to a service to say whether it is ready; maxReasonsBytes of what it says are told.
	readyTimeout    = 3 * time.Second
	maxReasonsBytes = 4 << 10
)

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

// Ready is nil when the service that listens on address says that it serves, if only a part. An address without a host
// is on this machine.
func Ready(ctx context.Context, address string, tls httpapi.TLS) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	transport, scheme := tls.Local()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+"/readyz?allow=degraded", nil)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	// An address without a host is no name that the service knows. What runs on this machine knows this one.
	request.Host = "localhost"
	// It is asked directly, whatever proxy the environment names.
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReasonsBytes))
	if response.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("not ready: %s: %s", response.Status, bytes.TrimSpace(body)), err)
	}
	return err
}
