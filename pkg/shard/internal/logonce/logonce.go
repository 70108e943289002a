// Package logonce keeps a log readable where something is retried again and again, and fails until somebody repairs it.
package logonce

import (
	"log/slog"
	"strings"
)

// Error is the error that was logged last. The zero value has logged none.
type Error string

// Level is the level to log an error at: a warning when it is new, and debug when it is the one that was logged last.
// Errors that differ in numbers alone, such as the port of a broker or an offset, are the same.
func (e *Error) Level(err error) slog.Level {
	if latest := Error(withoutDigits(err.Error())); latest != *e {
		*e = latest
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}
