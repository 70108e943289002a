package shard

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
)

// An order cannot be written, which ends the ownership of its shard. Clients of commands that waited behind it are
// answered, as all that wait are.
func TestWhoeverWaitsBehindAnOrderIsAnsweredWhenTheShardIsLost(t *testing.T) {
	r := beforeServing(t, t.TempDir())
	d := r.decider
	var inputs []*commandInput
	u := &unwritten{events: []order.Event{order.OrderPlaced{CustomerID: strings.Repeat("x", eventlog.MaxRecordBytes)}}}
	s := &saga{orderID: "o", unwritten: u}
	for i := range 4 {
		in := newCommandInput(&Command{ID: "o", Key: fmt.Sprint("k", i), Order: order.Place{}})
		inputs = append(inputs, in)
		if i == 0 {
			u.cmd, u.fut = in.cmd, &in.Future
			d.sagas.byOrder["o"], d.sagas.unwritten[orderid.KeyOf("o")] = s, s
			d.sagas.addWaiter("o", waiter{fut: u.fut, cmd: u.cmd, version: 1})
		} else if err := d.decideOrder(in.cmd, &in.Future); err != nil {
			t.Fatal(err)
		}
	}
	err := d.writeUnanswered(s)
	if err == nil {
		t.Fatal("an order that fits into no record was written")
	}
	_ = r.abandon(err)
	for i, in := range inputs {
		select {
		case <-in.Done():
		default:
			t.Errorf("command %d is never answered", i)
		}
	}
}

// More commands on an order that is not written yet are refused, and can be tried again.
func TestCommandsBehindAnOrderAreBounded(t *testing.T) {
	d := beforeServing(t, t.TempDir()).decider
	s := &saga{orderID: "o", unwritten: &unwritten{behind: make([]waiter, maxBehind-1)}}
	d.sagas.byOrder["o"], d.sagas.unwritten[orderid.KeyOf("o")] = s, s
	for i := range 2 {
		if err := d.decideOrder(&Command{ID: "o", Key: fmt.Sprint("k", i), Order: order.Place{}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	a := d.batch.answers
	if len(s.unwritten.behind) != maxBehind || len(a) != 1 || a[0].result.Code != problem.TooManyRequests ||
		a[0].result.RetryAfterSeconds == 0 {
		t.Errorf("%d wait, answered: %+v", len(s.unwritten.behind), a)
	}
}
