package peer

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// server hands the frames of other replicas to the handler, and sends the answers as they come.
type server struct {
	peerv1.UnimplementedPeerServiceServer
	generation uint32
	handler    Handler
}

// Exchange serves one replica's stream.
func (s *server) Exchange(stream peerv1.PeerService_ExchangeServer) error {
	return s.serve(stream, newReplies(s.generation))
}

// OrderKeys hands a request for keys to the handler.
func (s *server) OrderKeys(req *peerv1.OrderKeysRequest, stream peerv1.PeerService_OrderKeysServer) error {
	if req.Generation != s.generation {
		return status.Error(codes.FailedPrecondition, "this replica serves under another generation of the layout")
	}
	if err := s.handler.OrderKeys(req, stream.Send); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	return nil
}

func (s *server) serve(stream peerv1.PeerService_ExchangeServer, out *replies) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	sent := make(chan error, 1)
	go func() {
		defer cancel()
		sent <- out.send(ctx, stream)
	}()
	for {
		var f *peerv1.ExchangeRequest
		err := out.awaitRoom(ctx)
		if err == nil {
			f, err = stream.Recv()
		}
		if err != nil {
			cancel()
			<-sent     //nolint:errcheck // the same end, seen by the sender
			return nil //nolint:nilerr // the other side has gone; it says why in its own log
		}
		s.handle(f, out)
	}
}

// handle hands a frame's messages to the handler. Commands of another generation are refused; its steps and queries are
// resent by themselves.
func (s *server) handle(f *peerv1.ExchangeRequest, out *replies) {
	if f.Generation != s.generation {
		for _, c := range f.Commands {
			out.command(c.RequestId, true,
				s.handler.Refuse("the layout has changed: retry with the same Idempotency-Key"))
		}
		return
	}
	for _, c := range f.Commands {
		s.handler.Command(c, func(final bool, r *peerv1.CommandResult) { out.command(c.RequestId, final, r) })
	}
	for _, req := range f.Reservations {
		s.handler.Step(req, out.reservation)
	}
	for _, q := range f.OrderQueries {
		s.handler.Query(q, out.query)
	}
}

// replies are the answers that wait for one stream. No answer to a command may be lost, so none is refused. But while
// they are full, nothing is read from the stream. What then still comes are answers to what the queues of the shards
// have, which are bounded.
type replies struct {
	*outbox[peerv1.ExchangeResponse]
	generation uint32
}

func newReplies(generation uint32) *replies {
	return &replies{newOutbox[peerv1.ExchangeResponse](), generation}
}

func (q *replies) command(requestID uint64, final bool, r *peerv1.CommandResult) {
	c := &peerv1.CommandResponse{RequestId: requestID, Final: final, Outcome: r}
	q.put(c.SizeVT(), func(f *peerv1.ExchangeResponse) { f.Commands = append(f.Commands, c) })
}

func (q *replies) reservation(resp *peerv1.ReservationResponse) {
	q.put(resp.SizeVT(), func(f *peerv1.ExchangeResponse) { f.Reservations = append(f.Reservations, resp) })
}

func (q *replies) query(resp *peerv1.OrderQueryResponse) {
	q.put(resp.SizeVT(), func(f *peerv1.ExchangeResponse) { f.OrderQueries = append(f.OrderQueries, resp) })
}

func (q *replies) send(ctx context.Context, stream peerv1.PeerService_ExchangeServer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-q.wake:
		}
		for {
			f := &peerv1.ExchangeResponse{Generation: q.generation}
			if !q.pack(f) {
				break
			}
			if err := stream.Send(f); err != nil {
				return err
			}
		}
	}
}
