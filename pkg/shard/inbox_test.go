package shard

import (
	"testing"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// The orders that commands wait for end by messages of other shards: those find room, and go first.
func TestAFullQueueOfCommandsTakesMessages(t *testing.T) {
	b := newInbox()
	for range MaxQueued {
		if ok, _ := b.put(input{cmd: &Command{}}); !ok {
			t.Fatal("no room for a command")
		}
	}
	if ok, full := b.put(input{cmd: &Command{}}); ok || !full {
		t.Error("one command too many was taken")
	}
	messages := []input{{step: &peerv1.ReservationRequest{}}, {answer: &peerv1.ReservationResponse{}}, {query: &peerv1.OrderQuery{}}, {queryAnswer: &peerv1.OrderQueryResponse{}}}
	for _, m := range messages {
		if ok, _ := b.put(m); !ok {
			t.Error("no room for a message")
		}
	}
	taken := b.take()
	if len(taken) != len(messages)+MaxBatchCommands {
		t.Fatalf("took %d", len(taken))
	}
	for i := range taken {
		if command := taken[i].cmd != nil; command != (i >= len(messages)) {
			t.Fatalf("input %d is a command: %v", i, command)
		}
	}
	rest := 0
	for closed(b.ready) {
		rest += len(b.take())
	}
	if rest != MaxQueued-MaxBatchCommands || len(b.close()) != 0 {
		t.Errorf("%d commands were left", rest)
	}
	b = newInbox()
	for range MaxQueuedMessages {
		b.put(messages[0])
	}
	if ok, full := b.put(messages[0]); ok || !full {
		t.Error("one message too many was taken")
	}
}
