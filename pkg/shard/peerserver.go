package shard

import (
	"context"
	"sync"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// peerServer takes frames from other replicas and answers as the answers come.
type peerServer struct {
	peerv1.UnimplementedPeerServiceServer
	node *Node
}

// Exchange serves one replica's stream.
func (s *peerServer) Exchange(stream peerv1.PeerService_ExchangeServer) error {
	out := &replies{wake: make(chan struct{}, 1), generation: s.node.layout.Generation}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	sent := make(chan error, 1)
	go func() { sent <- out.send(ctx, stream) }()
	for {
		f, err := stream.Recv()
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
			r.in.put(input{step: req, reply: func(resp stepResponse) {
				s.node.cfg.Hooks.deliver(func() {
					out.put(func(f *peerv1.ExchangeResponse) { f.Reservations = append(f.Reservations, resp) })
				})
			}})
		}
	}
	for _, q := range f.OrderQueries {
		if r := s.runner(q.TargetShard); r != nil {
			r.in.put(input{query: q, queryReply: func(resp queryResponse) {
				s.node.cfg.Hooks.deliver(func() {
					out.put(func(f *peerv1.ExchangeResponse) { f.OrderQueries = append(f.OrderQueries, resp) })
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
		out.put(func(f *peerv1.ExchangeResponse) {
			f.Commands = append(f.Commands, &peerv1.CommandResponse{RequestId: c.RequestId, Final: final, Result: b})
		})
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

// replies is the queue of answers to one stream.
type replies struct {
	generation uint32
	mu         sync.Mutex
	queue      []func(*peerv1.ExchangeResponse)
	wake       chan struct{}
}

func (q *replies) put(add func(*peerv1.ExchangeResponse)) {
	q.mu.Lock()
	q.queue = append(q.queue, add) // bounded: each answers a request of a bounded queue
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// refuse answers the commands of another generation; steps are sent again by themselves.
func (q *replies) refuse(f *peerv1.ExchangeRequest) {
	b, err := encodeResult(unavailable("the layout has changed: retry with the same Idempotency-Key"))
	if err != nil {
		return
	}
	for _, c := range f.Commands {
		q.put(func(f *peerv1.ExchangeResponse) {
			f.Commands = append(f.Commands, &peerv1.CommandResponse{RequestId: c.RequestId, Final: true, Result: b})
		})
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
			q.mu.Lock()
			n := min(len(q.queue), MaxFrameMessages)
			batch := q.queue[:n:n]
			q.queue = q.queue[n:]
			q.mu.Unlock()
			if n == 0 {
				break
			}
			f := &peerv1.ExchangeResponse{Generation: q.generation}
			for _, add := range batch {
				add(f)
			}
			if err := stream.Send(f); err != nil {
				return err
			}
		}
	}
}
