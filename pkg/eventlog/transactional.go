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
	turned *atomic.Bool
}

// errTurnedIntoAbort: the client aborted a transaction that it was told to commit.
var errTurnedIntoAbort = errors.New("the client aborted instead of committing: it had not noted any partition of the transaction")

// commit ends the transaction, and answers nil only when it was committed.
//
// The client may return nil after an abort: when all records went to topics that are new to it, it can have
// its produce answers before it has noted the partitions, takes the transaction for an empty one, and aborts
// it. All that it tells is a line of its log, in the same call.
func (t *transactional) commit(ctx context.Context) error {
	t.turned.Store(false)
	if err := t.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	if t.turned.Load() {
		return errTurnedIntoAbort
	}
	return nil
}

// turnedIntoAbort begins the log line.
const turnedIntoAbort = "no produce succeeded in this transaction but produces were attempted"

// abortWatch notices the line, and passes on what the other logger wants to hear.
type abortWatch struct {
	next   kgo.Logger
	turned *atomic.Bool
}

// Level implements kgo.Logger: the line is at level info.
func (w abortWatch) Level() kgo.LogLevel { return max(kgo.LogLevelInfo, w.next.Level()) }

// Log implements kgo.Logger.
func (w abortWatch) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if strings.HasPrefix(msg, turnedIntoAbort) {
		w.turned.Store(true)
	}
	if level <= w.next.Level() {
		w.next.Log(level, msg, keyvals...)
	}
}
