package service

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Logger writes at the named level: lines for people on a terminal, JSON everywhere else. Equal warnings and errors are
// counted (repeats.go).
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	l, err := parseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	options := &slog.HandlerOptions{Level: l}
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return slog.New(countRepeats(slog.NewTextHandler(w, options))), nil
		}
	}
	return slog.New(countRepeats(slog.NewJSONHandler(w, options))), nil
}

func parseLevel(s string) (l slog.Level, err error) {
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("log level %q is none of debug, info, warn, error", s)
	}
	return l, nil
}
