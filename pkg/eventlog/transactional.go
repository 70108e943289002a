package eventlog

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transactional is a client for one transactional id.
type transactional struct {
	*kgo.Client
	id      string
	aborted *atomic.Bool // set by abortWatch
}

// errTurnedIntoAbort means that the client aborted a transaction that it should have committed.
var errTurnedIntoAbort = errors.New(
	"the client aborted instead of committing: it had not noted any partition of the transaction")

// commit ends the transaction. It returns nil only when the transaction was committed.
//
// The client may return nil after an abort. When all records went to topics that are new to the client, it can have the
// produce responses before it has noted the partitions. Then it thinks that the transaction is empty, and aborts it.
// The only sign is a line in its log, written during the same call.
func (t *transactional) commit(ctx context.Context) error {
	t.aborted.Store(false)
	if err := t.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	if t.aborted.Load() {
		return errTurnedIntoAbort
	}
	return nil
}

// turnedIntoAbort is how the log line begins.
const turnedIntoAbort = "no produce succeeded in this transaction but produces were attempted"

// abortWatch is a logger that looks for the line, and passes all lines on to the next logger at that one's level.
type abortWatch struct {
	next    kgo.Logger
	aborted *atomic.Bool
}

// Level implements kgo.Logger. The line has level info, so the client must log at that level at least.
func (w abortWatch) Level() kgo.LogLevel { return max(kgo.LogLevelInfo, w.next.Level()) }

// Log implements kgo.Logger.
func (w abortWatch) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if strings.HasPrefix(msg, turnedIntoAbort) {
		w.aborted.Store(true)
	}
	if level <= w.next.Level() {
		w.next.Log(level, msg, keyvals...)
	}
}
