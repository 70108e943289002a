package shard

import (
	"context"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// peerServer takes frames from other replicas and answers as the answers come.
type peerServer struct {
	peerv1.UnimplementedPeerServiceServer
	node *Node
}

// Exchange serves one replica's stream.
func (s *peerServer) Exchange(stream peerv1.PeerService_ExchangeServer) error {
	return s.serve(stream, newReplies(s.node.layout.Generation))
}

func (s *peerServer) serve(stream peerv1.PeerService_ExchangeServer, out *replies) error {
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
		if f.Generation != s.node.layout.Generation {
			out.refuse(f)
			continue
		}
		s.take(f, out)
	}
}

func (s *peerServer) take(f *peerv1.ExchangeRequest, out *replies) {
	for _, c := range f.Commands {
		s.command(c, out)
	}
	for _, req := range f.Reservations {
		if r := s.runner(req.TargetShard); r != nil {
			s.node.pass(r, input{step: req, reply: func(resp stepResponse) {
				s.node.cfg.Hooks.deliver(func() { out.reservation(resp) })
			}})
		}
	}
	for _, q := range f.OrderQueries {
		if r := s.runner(q.TargetShard); r != nil {
			s.node.pass(r, input{query: q, queryReply: func(resp queryResponse) {
				s.node.cfg.Hooks.deliver(func() {
					out.put(resp.SizeVT(), func(f *peerv1.ExchangeResponse) { f.OrderQueries = append(f.OrderQueries, resp) })
				})
			}})
		}
	}
}

func (s *peerServer) runner(shard uint32) *runner {
	if int(shard) >= len(s.node.runners) {
		return nil
	}
	return s.node.runners[shard].Load()
}

// command decides another replica's command here, or refuses it: it is never handed on a second time.
func (s *peerServer) command(c *peerv1.CommandRequest, out *replies) {
	answer := func(final bool, r Result) {
		b, err := encodeResult(r)
		if err != nil {
			s.node.log.Error("answer a peer", "error", err)
		}
		out.answer(&peerv1.CommandResponse{RequestId: c.RequestId, Final: final, Result: b})
	}
	cmd, err := s.node.cfg.Decode(c.Type, c.AggregateId, c.IdempotencyKey, c.Body, c.ReceivedAtMicros)
	if err != nil {
		answer(true, unavailable("the shard's owner does not understand the command: "+err.Error()))
		return
	}
	cmd.ExpectedVersion = c.ExpectedVersion
	r := s.runner(c.Shard)
	if r == nil || s.node.ShardOf(cmd.ID) != r.shard {
		answer(true, unavailable("the shard has moved: retry with the same Idempotency-Key"))
		return
	}
	fut := NewFuture()
	fut.notify = answer
	ok, full := r.in.put(input{cmd: cmd, fut: fut})
	switch {
	case ok:
	case full:
		s.node.metrics.refusedFull.Inc()
		answer(true, Result{Code: CodeTooManyRequests, RetryAfterSeconds: 1, Detail: "the shard's queue is full; retry later with the same key"})
	default:
		answer(true, unavailable("the shard is changing hands: retry with the same Idempotency-Key"))
	}
}

// replies are the answers on their way to one stream. None may be lost, so all are taken; but while they are full
// nothing is read from the stream, and beyond come only answers to what the queues of the shards hold.
type replies struct {
	*outbox[peerv1.ExchangeResponse]
	generation uint32
}

func newReplies(generation uint32) *replies {
	return &replies{newOutbox[peerv1.ExchangeResponse](), generation}
}

func (q *replies) answer(c *peerv1.CommandResponse) {
	q.put(c.SizeVT(), func(f *peerv1.ExchangeResponse) { f.Commands = append(f.Commands, c) })
}

func (q *replies) reservation(resp stepResponse) {
	q.put(resp.SizeVT(), func(f *peerv1.ExchangeResponse) { f.Reservations = append(f.Reservations, resp) })
}

// refuse answers the commands of another generation; steps are sent again by themselves.
func (q *replies) refuse(f *peerv1.ExchangeRequest) {
	b, err := encodeResult(unavailable("the layout has changed: retry with the same Idempotency-Key"))
	if err != nil {
		return
	}
	for _, c := range f.Commands {
		q.answer(&peerv1.CommandResponse{RequestId: c.RequestId, Final: true, Result: b})
	}
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
