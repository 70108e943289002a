package eventlog

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLogger passes the Kafka client's warnings and errors to slog, and drops its lower levels.
type clientLogger struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (l clientLogger) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelWarn) {
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelNone
}

// clearer are lines of the client, by how they begin, in words that say what follows from them.
var clearer = []struct{ begins, says string }{
	{"unable to open connection to broker due to an immediate EOF",
		"a Kafka broker closed the connection at once; check whether it expects TLS"},
	{"unable to open connection to broker", "a Kafka broker cannot be reached; the client tries again"},
	{"read from broker errored, killing connection",
		"a Kafka broker closed the connection before it had answered; it may be stopping, or want TLS or SASL settings"},
	{"group manage loop errored", groupSilent},
}

// groupSilent is told without the error, which names another broker each time: the lines on the brokers say why.
const groupSilent = "the consumer group does not answer; shards and partitions stay where they are until it does"

// needless are lines of which another one tells the cause: that a broker cannot be reached, or does not answer. What
// the client gives up is an error of whoever asked for it.
var needless = []string{"produce partition load error"}

// volatile are attributes that differ from one repeated line to the next, and tell nothing: a broker has its ID, or a
// name that the client made up, and always its address.
var volatile = []string{"consecutive_errors", "backoff", "broker"}

// Log implements kgo.Logger.
func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	if slices.ContainsFunc(needless, func(begins string) bool { return strings.HasPrefix(msg, begins) }) {
		return
	}
	for _, c := range clearer {
		if strings.HasPrefix(msg, c.begins) {
			msg = c.says
			break
		}
	}
	kept := make([]any, 0, len(keyvals))
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, ok := keyvals[i].(string)
		if !ok || !slices.Contains(volatile, key) && (key != "err" || msg != groupSilent) {
			kept = append(kept, keyvals[i], keyvals[i+1])
		}
	}
	l.log.Log(context.Background(), to, "kafka: "+msg, kept...)
}
