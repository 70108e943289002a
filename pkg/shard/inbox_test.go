package shard

import "testing"

// The orders that commands wait for end with messages of other shards: those find room, and go first.
func TestAFullQueueOfCommandsTakesMessages(t *testing.T) {
	b := newInbox()
	for range MaxQueued {
		if ok, _ := b.putCommand(newCommandInput(&Command{})); !ok {
			t.Fatal("no room for a command")
		}
	}
	if ok, full := b.putCommand(newCommandInput(&Command{})); ok || !full {
		t.Error("one command too many was accepted")
	}
	messages := []input{&stepInput{}, &stepAnswerInput{}, &queryInput{}, &queryAnswerInput{}}
	for _, m := range messages {
		if ok, _ := b.putMessage(m); !ok {
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
	b = newInbox()
	for range MaxQueuedMessages {
		b.putMessage(messages[0])
	}
	if ok, full := b.putMessage(messages[0]); ok || !full {
		t.Error("one message too many was accepted")
	}
}
