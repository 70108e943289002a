package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Whether a replica serves a shard it says by gRPC's health protocol: each shard is a service of it.

// serviceOf is a shard's name in the health protocol.
func serviceOf(shard int32) string { return "holdfast.shard." + strconv.Itoa(int(shard)) }

// SetServing is what other replicas are told when they ask whether this one serves a shard.
func (p *Peers) SetServing(shard int32, serving bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if serving {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	p.health.SetServingStatus(serviceOf(shard), status)
}

// Serves asks a replica whether it serves a shard. nil: it does.
func (p *Peers) Serves(ctx context.Context, address string, shard int32) error {
	conn, err := p.asking.conn(address, p.creds)
	if err != nil {
		return fmt.Errorf("its owner %s: %w", address, err)
	}
	resp, err := grpc_health_v1.NewHealthClient(conn).Check(ctx,
		&grpc_health_v1.HealthCheckRequest{Service: serviceOf(shard)})
	if err != nil {
		return fmt.Errorf("its owner %s does not answer: %w", address, err)
	}
	if resp.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("its owner %s says that it does not serve it", address)
	}
	return nil
}

// OrderKeys asks a replica for the keys of the orders of a shard that it serves, and hands each part of the answer to
// take.
func (p *Peers) OrderKeys(
	ctx context.Context, address string, req *peerv1.OrderKeysRequest, take func(*peerv1.OrderKeysResponse) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream, also where take fails
	conn, err := p.asking.conn(address, p.creds)
	if err != nil {
		return fmt.Errorf("ask %s for keys: %w", address, err)
	}
	req.Generation = p.cfg.Generation
	stream, err := peerv1.NewPeerServiceClient(conn).OrderKeys(ctx, req)
	for err == nil {
		var part *peerv1.OrderKeysResponse
		if part, err = stream.Recv(); err == nil {
			err = take(part)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("ask %s for keys: %w", address, err)
}

// Forget closes the connections on which Serves and OrderKeys ask, but for those to the addresses that owners still
// have.
func (p *Peers) Forget(except map[string]bool) { p.asking.forget(except) }

// asking has the connections on which other replicas are asked. Streams are opened only when there is something to
// send, and stay full when they are busy, so these are others.
type asking struct {
	mu     sync.Mutex
	conns  map[string]*grpc.ClientConn
	closed bool
}

func newAsking() *asking { return &asking{conns: map[string]*grpc.ClientConn{}} }

func (a *asking) conn(address string, creds peerCredentials) (*grpc.ClientConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if conn, ok := a.conns[address]; ok {
		return conn, nil
	}
	if a.closed {
		return nil, ErrStopping
	}
	conn, err := grpc.NewClient(address, creds.dialOptions()...)
	if err == nil {
		a.conns[address] = conn
	}
	return conn, err
}

func (a *asking) forget(except map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for address, conn := range a.conns {
		if !except[address] {
			_ = conn.Close() // nothing was under way that anybody waits for
			delete(a.conns, address)
		}
	}
}

func (a *asking) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	var errs []error
	for _, conn := range a.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}
