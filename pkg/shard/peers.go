package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/go-json-experiment/json"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

type (
	stepRequest   = *peerv1.ReservationRequest
	stepResponse  = *peerv1.ReservationResponse
	query         = *peerv1.OrderQuery
	queryResponse = *peerv1.OrderQueryResponse
)

const (
	// maxReceivedFrame is far above what a frame may have: MaxFrameBytes, and what its last message adds.
	maxReceivedFrame = 64 << 20
	// peerPingEvery and peerPingTimeout bound how long a stream outlives a machine that is gone without a word: TCP
	// alone waits a quarter of an hour. gRPC pings at most once in ten seconds.
	peerPingEvery   = 10 * time.Second
	peerPingTimeout = 3 * time.Second
)

func (c peerCredentials) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(c.server),
		grpc.MaxRecvMsgSize(maxReceivedFrame),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: peerPingEvery, Timeout: peerPingTimeout}),
		// Half of what the other side keeps to: a ping that comes early is no attack.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: peerPingEvery / 2}),
	}
}

func (c peerCredentials) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(c.client()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceivedFrame)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: peerPingEvery, Timeout: peerPingTimeout}),
	}
}

// peers knows who owns which shard, and keeps a stream to each of them.
type peers struct {
	node    *Node
	creds   peerCredentials
	address string
	server  *grpc.Server
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu     sync.Mutex
	owners []owner // by shard, as announced
	links  map[string]*link
	closed bool
}

var errStopping = errors.New("this replica is stopping")

type owner struct {
	id      string
	address string
}

func startPeers(ctx context.Context, n *Node) (*peers, error) {
	creds, err := n.cfg.PeerTLS.credentials(n.log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &peers{node: n, creds: creds, stop: cancel, owners: make([]owner, n.layout.ShardCount), links: map[string]*link{}}
	if n.cfg.PeerListen != "" {
		lis, err := net.Listen("tcp", n.cfg.PeerListen)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("listen for peers on %s: %w", n.cfg.PeerListen, err)
		}
		if p.address, err = advertised(n.cfg.Advertise, lis.Addr()); err != nil {
			cancel()
			return nil, errors.Join(err, lis.Close())
		}
		p.server = grpc.NewServer(creds.serverOptions()...)
		peerv1.RegisterPeerServiceServer(p.server, &peerServer{node: n})
		go func() { _ = p.server.Serve(lis) }() // ends with close
	}
	p.done.Add(1)
	go p.follow(ctx)
	return p, nil
}

// advertised is what other replicas are told to call: as configured, or the address that is listened on. Port 0
// stands for the port that was taken.
func advertised(configured string, bound net.Addr) (string, error) {
	host, port, err := net.SplitHostPort(cmp.Or(configured, bound.String()))
	if err != nil {
		return "", fmt.Errorf("--peer-advertise %q is not host:port: %w", configured, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("other replicas cannot call %s: set --peer-advertise to the host:port under which they reach this one",
			cmp.Or(configured, bound.String()))
	}
	if port == "0" {
		_, port, err = net.SplitHostPort(bound.String())
	}
	return net.JoinHostPort(host, port), err
}

func (p *peers) close() {
	p.stop()
	if p.server != nil {
		p.server.Stop()
	}
	p.mu.Lock()
	p.closed = true // from here on there are no more links
	p.mu.Unlock()
	for _, l := range p.links {
		l.stop()
	}
	for _, l := range p.links {
		<-l.ended
	}
	p.done.Wait()
}

// follow keeps the owners current from what they announce.
func (p *peers) follow(ctx context.Context) {
	defer p.done.Done()
	for ctx.Err() == nil {
		f, err := p.node.client.FollowAnnouncements(ctx, p.node.layout)
		if err == nil {
			err = p.readAnnouncements(ctx, f)
			f.Close()
		}
		if ctx.Err() != nil {
			return
		}
		p.node.log.Warn("follow the owners of shards", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(reacquireBackoff):
		}
	}
}

func (p *peers) readAnnouncements(ctx context.Context, f *eventlog.Follower) error {
	for {
		recs, _, err := f.Poll(ctx)
		if err != nil {
			return err
		}
		p.mu.Lock()
		for i := range recs {
			var a eventv1.Announcement
			if err := a.UnmarshalVT(recs[i].Value); err != nil || a.Generation != p.node.layout.Generation || int(a.Shard) >= len(p.owners) {
				continue // another generation's, or another program's: it names no owner of ours
			}
			p.owners[a.Shard] = owner{string(a.OwnerId), a.PeerAddress}
		}
		p.mu.Unlock()
	}
}

// owner is the address of a shard's owner, or why there is none to call.
func (p *peers) owner(shard int32) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o := p.owners[shard]; {
	case o.id == "", o.address != "" && o.address == p.address: // announced by nobody, or by this replica before it lost it
		return "", fmt.Errorf("shard %d has no owner yet", shard)
	case o.address == "":
		return "", fmt.Errorf("shard %d is owned by a replica that runs without --peer-listen, so that no other can hand it commands", shard)
	default:
		return o.address, nil
	}
}

// link is the stream to a shard's owner, or why there is none.
func (p *peers) link(shard int32) (*link, error) {
	address, err := p.owner(shard)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errStopping
	}
	l := p.links[address]
	if l == nil {
		l = newLink(p.node, address, p.creds)
		p.links[address] = l
	}
	return l, nil
}

func (p *peers) submit(shard int32, cmd *Command, fut *Future) {
	l, err := p.link(shard)
	if err != nil {
		fut.finish(unavailable(err.Error() + ": retry with the same Idempotency-Key"))
		return
	}
	l.submit(shard, cmd, fut)
}

func (p *peers) sendStep(req stepRequest) {
	if l, err := p.link(int32(req.TargetShard)); err == nil { // without an owner it is lost, and sent again
		l.put(req.SizeVT(), func(f *peerv1.ExchangeRequest) { f.Reservations = append(f.Reservations, req) })
	}
}

func (p *peers) sendQuery(q query) {
	if l, err := p.link(int32(q.TargetShard)); err == nil { // as above
		l.put(q.SizeVT(), func(f *peerv1.ExchangeRequest) { f.OrderQueries = append(f.OrderQueries, q) })
	}
}

// link is the stream to one peer. It dials when there is something to send, and again after an error.
type link struct {
	node    *Node
	address string
	creds   peerCredentials
	stop    context.CancelFunc
	ended   chan struct{} // closed when nothing of it runs any more

	out *outbox[peerv1.ExchangeRequest]

	mu      sync.Mutex
	pending map[uint64]*Future
	nextID  uint64
	closed  bool
}

func newLink(n *Node, address string, creds peerCredentials) *link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{
		node: n, address: address, creds: creds, stop: cancel, ended: make(chan struct{}),
		out: newOutbox[peerv1.ExchangeRequest](), pending: map[uint64]*Future{},
	}
	go func() {
		defer close(l.ended)
		l.run(ctx)
	}()
	return l
}

// put sends a message that comes again if it is lost, when there is room for it.
func (l *link) put(bytes int, add func(*peerv1.ExchangeRequest)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
	case l.out.full():
		l.node.metrics.dropped.WithLabelValues(queueOfPeer).Inc()
	default:
		l.out.put(bytes, add)
	}
}

// submit sends a command. Its future is pending exactly when the command waits or was sent: it is answered here, or
// by whoever takes it from there.
func (l *link) submit(shard int32, cmd *Command, fut *Future) {
	req := &peerv1.CommandRequest{
		Shard: uint32(shard), Type: cmd.Type, AggregateId: cmd.ID, IdempotencyKey: cmd.Key,
		ExpectedVersion: cmd.ExpectedVersion, ReceivedAtMicros: cmd.ReceivedAtMicros, Body: cmd.Body,
	}
	l.mu.Lock()
	closed, full := l.closed, l.out.full()
	if !closed && !full {
		l.nextID++
		req.RequestId = l.nextID
		l.pending[req.RequestId] = fut
		l.out.put(req.SizeVT(), func(f *peerv1.ExchangeRequest) { f.Commands = append(f.Commands, req) })
	}
	l.mu.Unlock()
	switch {
	case closed:
		fut.finish(unavailable(errStopping.Error() + ": retry with the same Idempotency-Key"))
	case full:
		l.node.metrics.refusedFull.Inc()
		fut.finish(Result{Code: CodeTooManyRequests, RetryAfterSeconds: 1, Detail: "too many commands wait for " + l.address + "; retry later with the same key"})
	}
}

// lastError is what was last told of something that is tried again and again, and fails until somebody mends it.
type lastError string

// level is that of an error in the log: it is told once, until there is another.
func (l *lastError) level(err error) slog.Level {
	if said := lastError(err.Error()); said != *l {
		*l = said
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (l *link) run(ctx context.Context) {
	var told lastError
	for ctx.Err() == nil {
		err := l.exchange(ctx)
		l.fail()
		if ctx.Err() != nil {
			break
		}
		// A peer that is gone is dialled several times a second.
		l.node.log.Log(ctx, told.level(err), "the stream to a peer ended", "peer", l.address, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(reacquireBackoff):
		}
		// Dial again when there is something to say.
		select {
		case <-ctx.Done():
		case <-l.out.wake:
			signal(l.out.wake)
		}
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.fail()
}

// fail answers every command that waits: nobody knows what became of it.
func (l *link) fail() {
	l.mu.Lock()
	pending := l.pending
	l.pending = map[uint64]*Future{}
	l.out.clear()
	l.mu.Unlock()
	for _, fut := range pending {
		fut.finish(unavailable("the owner of the shard cannot be reached at " + l.address + ": retry with the same Idempotency-Key"))
	}
}

func (l *link) exchange(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := grpc.NewClient(l.address, l.creds.dialOptions()...)
	if err != nil {
		return fmt.Errorf("dial peer %s: %w", l.address, err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := peerv1.NewPeerServiceClient(conn).Exchange(ctx)
	if err != nil {
		return fmt.Errorf("open a stream to peer %s: %w", l.address, err)
	}
	received := make(chan error, 1)
	go func() { received <- l.receive(stream) }()
	for {
		select {
		case err := <-received:
			return err
		case <-ctx.Done():
			// Nothing answers a future after this returns.
			return errors.Join(ctx.Err(), <-received)
		case <-l.out.wake:
		}
		for frame := l.frame(); frame != nil; frame = l.frame() {
			if err := stream.Send(frame); err != nil {
				return errors.Join(err, <-received)
			}
		}
	}
}

// frame packs what has queued; nil: nothing has.
func (l *link) frame() *peerv1.ExchangeRequest {
	f := &peerv1.ExchangeRequest{Generation: l.node.layout.Generation}
	if !l.out.pack(f) {
		return nil
	}
	return f
}

func (l *link) receive(stream peerv1.PeerService_ExchangeClient) error {
	for {
		f, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, c := range f.Commands {
			l.answer(c)
		}
		for _, a := range f.Reservations {
			if int(a.SourceShard) < len(l.node.runners) {
				l.node.answerHere(a)
			}
		}
		for _, a := range f.OrderQueries {
			l.node.queryAnswerHere(a)
		}
	}
}

func (l *link) answer(c *peerv1.CommandResponse) {
	l.mu.Lock()
	fut, ok := l.pending[c.RequestId]
	if c.Final {
		delete(l.pending, c.RequestId)
	}
	l.mu.Unlock()
	if !ok {
		return
	}
	res, err := decodeResult(c.Result)
	switch {
	case err != nil:
		fut.finish(unavailable("the owner's answer cannot be read: " + err.Error()))
	case c.Final:
		fut.finish(res)
	default:
		fut.accept(res)
	}
}

// wireResult is a Result between replicas: its position as text.
type wireResult struct {
	Result   Result `json:"result"`
	Position string `json:"position"`
}

func encodeResult(r Result) ([]byte, error) {
	w := wireResult{Result: r, Position: r.Position.String()}
	w.Result.Position = eventlog.Position{}
	b, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return b, nil
}

func decodeResult(b []byte) (Result, error) {
	var w wireResult
	if err := json.Unmarshal(b, &w); err != nil {
		return Result{}, fmt.Errorf("decode an answer: %w", err)
	}
	if w.Position != "" {
		p, err := eventlog.ParsePosition(w.Position)
		if err != nil {
			return Result{}, err
		}
		w.Result.Position = p
	}
	return w.Result, nil
}
