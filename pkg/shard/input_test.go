package shard

import (
	"runtime"
	"testing"

	"github.com/holdfast/holdfast/pkg/order"
)

// Streams of many commands keep futures for as long as they run: those must not keep the commands, whose bodies may be
// large.
func TestAFutureDoesNotKeepItsCommand(t *testing.T) {
	freed := make(chan struct{})
	in := newCommandInput(commandThatTells(freed))
	in.abandon(unavailable("for the test"))
	for range 1_000 { // a cleanup runs soon after the collection that frees its object
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(&in.Future)
			return
		default:
		}
	}
	runtime.KeepAlive(&in.Future)
	t.Error("the command is kept by its future")
}

// commandThatTells closes freed once nobody has the command any more.
func commandThatTells(freed chan struct{}) *Command {
	cmd := &Command{Type: "cancel_order", Order: order.Cancel{}, Body: make([]byte, 1<<10)}
	runtime.AddCleanup(cmd, func(freed chan struct{}) { close(freed) }, freed)
	return cmd
}
