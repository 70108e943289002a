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
	{"group manage loop errored",
		"the consumer group does not answer; shards and partitions stay where they are until it does"},
}

// volatile are attributes that differ from one repeated line to the next, and tell nothing.
var volatile = []string{"consecutive_errors", "backoff"}

// Log implements kgo.Logger.
func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	for _, c := range clearer {
		if strings.HasPrefix(msg, c.begins) {
			msg = c.says
			break
		}
	}
	kept := make([]any, 0, len(keyvals))
	for i := 0; i+1 < len(keyvals); i += 2 {
		if key, ok := keyvals[i].(string); !ok || !slices.Contains(volatile, key) {
			kept = append(kept, keyvals[i], keyvals[i+1])
		}
	}
	l.log.Log(context.Background(), to, "kafka: "+msg, kept...)
}
