package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/trace"
)

// Logger writes at the named level: lines for people on a terminal, JSON everywhere else. Equal warnings and errors are
// counted (repeats.go). A line of a traced request has trace_id and span_id.
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	l, err := parseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	options := &slog.HandlerOptions{Level: l}
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(countRepeats(Traced(slog.NewTextHandler(w, options)))), nil
		}
	}
	return slog.New(countRepeats(Traced(slog.NewJSONHandler(w, options)))), nil
}

func parseLevel(s string) (l slog.Level, err error) {
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("log level %q is none of debug, info, warn, error", s)
	}
	return l, nil
}

// Traced adds to each line the trace that its context belongs to.
func Traced(h slog.Handler) slog.Handler { return traced{h} }

type traced struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traced) Handle(ctx context.Context, rec slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		rec = rec.Clone()
		rec.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return h.Handler.Handle(ctx, rec)
}

// WithAttrs implements slog.Handler.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
