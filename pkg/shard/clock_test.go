package shard_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

const maxClockSkew = 30 * time.Second

// setClock is a clock that a test sets.
type setClock struct{ ahead atomic.Int64 }

func (c *setClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *setClock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

func (p *platform) startWith(dir string, clock *setClock) *shard.Node {
	p.t.Helper()
	return p.startAs(shard.Config{DataDir: dir, Clock: clock.now, MaxClockSkew: maxClockSkew})
}

// awaitOff waits until a replica says that its clock is off.
func awaitOff(t *testing.T, n *shard.Node) (off *shard.ClockError) {
	t.Helper()
	eventually(t, func() string {
		if err := n.Ready(); !errors.As(err, &off) {
			return "it does not say that its clock is off, but: " + text(err)
		}
		return ""
	})
	if n.Owns(off.Shard) {
		t.Errorf("it serves shard %d", off.Shard)
	}
	return off
}

// TestAReplicaWhoseClockIsOffDoesNotServe: until its clock is set, and it says why.
func TestAReplicaWhoseClockIsOffDoesNotServe(t *testing.T) {
	for _, test := range []struct {
		ahead time.Duration
		says  string
	}{
		{40 * time.Minute, "ahead of the Kafka broker's: orders would expire too early"},
		{-40 * time.Minute, "behind the Kafka broker's: orders would expire too late"},
	} {
		t.Run(test.ahead.String(), func(t *testing.T) {
			p, clock := newPlatform(t, 1), &setClock{}
			clock.set(test.ahead)
			n := p.startWith(t.TempDir(), clock)
			off := awaitOff(t, n)
			if wrong := off.AheadBy - test.ahead; wrong.Abs() > maxClockSkew || off.Limit != maxClockSkew {
				t.Errorf("it is off by %s", off.AheadBy)
			}
			for _, want := range []string{test.says, "--max-clock-skew allows 30s", "Set the clock that is wrong"} {
				if !strings.Contains(off.Error(), want) {
					t.Errorf("it does not say %q: %s", want, off)
				}
			}
			clock.set(0)
			stock(t, n, "A", 1)
			eventually(t, func() string { return text(n.Ready()) })
		})
	}
}

// A clock two hours ahead is refused by Apache Kafka before anybody can compare it.
func TestAClockThatTheBrokerRefuses(t *testing.T) {
	p, clock := newPlatform(t, 1), &setClock{}
	clock.set(2 * time.Hour)
	n := p.startWith(t.TempDir(), clock)
	eventually(t, func() string {
		if err := n.Ready(); err == nil || !strings.Contains(err.Error(), "its clock is ") {
			return "it does not say that its clock is off, but: " + text(err)
		}
		return ""
	})
	clock.set(0)
	stock(t, n, "A", 1)
}

// TestAClockThatJumpsExpiresNothing: it is set an hour ahead while the replica serves.
func TestAClockThatJumpsExpiresNothing(t *testing.T) {
	p, clock := newPlatform(t, 1), &setClock{}
	n := p.startWith(t.TempDir(), clock)
	stock(t, n, "A", 1)
	placed := ok(t, do(t, n, command.PlaceOrder, "", "k", orderBody("prepaid", "A")))
	clock.set(3500 * time.Second)
	off := awaitOff(t, n)
	cmd, err := decode(command.CancelOrder, placed.Order.ID, "c", []byte(`{}`), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	if r := outcome(t, n, cmd); r.Code != problem.Unavailable {
		t.Errorf("it decides: %+v", r)
	}
	clock.set(0)
	if status := statusOf(t, n, placed.Order.ID); status != "reserved" {
		t.Errorf("its clock was off by %s, and the order is %s", off.AheadBy, status)
	}
	p.verify()
}

// The clock of a replica that serves no shard is compared with nothing. What it hands over is not taken at its word.
func TestAnotherReplicasClockDecidesNoDeadline(t *testing.T) {
	p := newPlatform(t, 1)
	nodes := []*shard.Node{p.startWith(t.TempDir(), &setClock{}), p.startWith(t.TempDir(), &setClock{})}
	for _, n := range nodes {
		eventually(t, func() string { return text(n.Ready()) })
	}
	other := nodes[0]
	if other.Owns(0) {
		other = nodes[1]
	}
	stock(t, other, "A", 1)
	slow := time.Now().Add(-2 * limits.DefaultPaymentWindow)
	placed := ok(t, doAt(t, other, slow, command.PlaceOrder, "", "k", orderBody("prepaid", "A")))
	stock(t, other, "B", 1) // deadlines were looked at since
	if status := statusOf(t, other, placed.Order.ID); status != "reserved" {
		t.Errorf("the order is %s", status)
	}
}

// statusOf is an order's status after a payment of a part. The whole payment would bring an expired order back.
func statusOf(t *testing.T, n *shard.Node, id string) string {
	t.Helper()
	return ok(t, do(t, n, command.AuthorizePayment, id, "p", `{"amount":"1.00"}`)).Order.Status
}

func TestAClockSkewBelowZeroIsRefused(t *testing.T) {
	_, err := shard.StartNode(t.Context(), shard.Config{Log: newPlatform(t, 1).log, DataDir: t.TempDir(), Decode: rebuild,
		MaxClockSkew: -1})
	if err == nil || err.Error() != "clocks cannot be -1ns apart; 0 does not compare them" {
		t.Error(err)
	}
}
