package shard

import (
	"fmt"
	"testing"
	"time"
)

// The orders that commands wait for end with messages of other shards: those find room, and go first.
func TestAFullQueueOfCommandsTakesMessages(t *testing.T) {
	b := newInbox(0)
	for range MaxQueued {
		if how, _ := b.putCommand(newCommandInput(&Command{})); how != admitted {
			t.Fatal("no room for a command")
		}
	}
	if how, _ := b.putCommand(newCommandInput(&Command{})); how != inboxFull {
		t.Error("one command too many was accepted")
	}
	messages := []input{&stepInput{}, &stepAnswerInput{}, &queryInput{}, &queryAnswerInput{}}
	for _, m := range messages {
		if b.putMessage(m) != admitted {
			t.Error("no room for a message")
		}
	}
	drained := b.drain()
	if len(drained) != len(messages)+MaxBatchCommands {
		t.Fatalf("drained %d", len(drained))
	}
	for i := range drained {
		if _, command := drained[i].(*commandInput); command != (i >= len(messages)) {
			t.Fatalf("input %d is a command: %v", i, command)
		}
	}
	left := 0
	for closed(b.ready) {
		left += len(b.drain())
	}
	if left != MaxQueued-MaxBatchCommands || len(b.close()) != 0 {
		t.Errorf("%d commands were left", left)
	}
	b = newInbox(0)
	for range MaxQueuedMessages {
		b.putMessage(messages[0])
	}
	if b.putMessage(messages[0]) != inboxFull {
		t.Error("one message too many was accepted")
	}
}

// queue puts so many commands of a stream into the inbox.
func queue(t *testing.T, b *inbox, stream uint64, n int) {
	t.Helper()
	for i := range n {
		cmd := &Command{Stream: stream, Key: fmt.Sprint(stream, "-", i)}
		if how, _ := b.putCommand(newCommandInput(cmd)); how != admitted {
			t.Fatalf("command %d of stream %d: %d", i, stream, how)
		}
	}
}

// Sources take turns, whoever came first and however many commands each has; those of one source keep their order.
func TestSourcesTakeTurns(t *testing.T) {
	const each = 100
	b := newInbox(0)
	queue(t, b, 7, MaxQueuedOfStream)
	queue(t, b, 0, each)
	queue(t, b, 9, each)
	next := map[uint64]int{}
	drained := b.drain()
	for at, in := range drained {
		cmd := in.(*commandInput).cmd
		if want := fmt.Sprint(cmd.Stream, "-", next[cmd.Stream]); cmd.Key != want {
			t.Fatalf("%d: %s comes before %s", at, cmd.Key, want)
		}
		next[cmd.Stream]++
		if at < 3*each && next[cmd.Stream] > at/3+1 {
			t.Fatalf("%d: stream %d has had %d turns", at, cmd.Stream, next[cmd.Stream])
		}
	}
	if len(drained) != MaxBatchCommands || next[0] != each || next[9] != each {
		t.Errorf("%d commands, by source %v", len(drained), next)
	}
	for closed(b.ready) {
		b.drain()
	}
	if b.queued != 0 || len(b.turns) != 0 || len(b.sources) != 1 {
		t.Errorf("%d commands, %d turns, %d sources are left", b.queued, len(b.turns), len(b.sources))
	}
}

// A command that would wait too long is refused at once, and told how long; one on a stream waits.
func TestACommandThatWouldWaitTooLongIsRefused(t *testing.T) {
	const maxWait, perCommand = time.Second, 10 * time.Millisecond
	b := newInbox(maxWait)
	queue(t, b, 0, MaxQueued/2) // nobody has had to wait, and the pace is not known
	now := time.Now()
	for range 100 { // a batch commits every second
		now = now.Add(time.Second)
		b.served(int(time.Second/perCommand), now)
	}
	how, wait := b.putCommand(newCommandInput(&Command{}))
	if want := MaxQueued / 2 * perCommand; how != tooLate || wait < want-want/10 || wait > want+want/10 {
		t.Errorf("%d, after %s, want %s", how, wait, want)
	}
	measured := b.pace
	b = newInbox(maxWait)
	b.pace = measured
	queue(t, b, 7, MaxQueuedOfStream)
	queue(t, b, 0, int(maxWait/perCommand)/2) // the stream has a turn before each of them
	if how, _ := b.putCommand(newCommandInput(&Command{})); how != admitted {
		t.Error("a command that would wait as long as it may is refused")
	}
	if how, _ := b.putCommand(newCommandInput(&Command{})); how != tooLate {
		t.Error("beyond that it is not refused")
	}
}

// The pace is measured while commands wait: a shard that has little to do takes as long for one as for many.
func TestThePaceIsMeasuredUnderLoad(t *testing.T) {
	var p pace
	now := time.Now()
	for range 100 {
		now = now.Add(time.Second)
		p.served(1, false, now)
	}
	if p.perCommand != 0 {
		t.Errorf("without load: %s", p.perCommand)
	}
	p.served(1, true, now)
	p.served(0, true, now.Add(time.Second)) // messages alone take their time too
	p.served(200, true, now.Add(2*time.Second))
	if p.perCommand != 10*time.Millisecond {
		t.Errorf("under load: %s", p.perCommand)
	}
	for now = now.Add(2 * time.Second); p.perCommand > 2*time.Millisecond; {
		now = now.Add(100 * time.Millisecond)
		p.served(100, true, now)
	}
}
