package service

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A line that comes again is counted instead of written, until repeatEvery after it was last written; then it is
// written with the attribute repeated, the number of lines that it stands for. Without that a broker that is lost for a
// minute fills the log with hundreds of equal lines. At most maxRepeats different lines are remembered.
const (
	repeatEvery = 30 * time.Second
	maxRepeats  = 1_000
)

// repeats is the handler that counts. Handlers that slog derives from it share what is remembered.
type repeats struct {
	next slog.Handler
	// scope is what With and WithGroup have added: two lines with another scope differ.
	scope string
	seen  *seenLines
}

type seenLines struct {
	mu     sync.Mutex
	byText map[string]*seenLine
}

type seenLine struct {
	written time.Time
	since   int // how often it came since
}

func countRepeats(next slog.Handler) slog.Handler {
	return &repeats{next: next, seen: &seenLines{byText: map[string]*seenLine{}}}
}

// Enabled implements slog.Handler.
func (h *repeats) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *repeats) Handle(ctx context.Context, rec slog.Record) error {
	// Lines below a warning tell what happened, each time.
	if rec.Level < slog.LevelWarn {
		return h.next.Handle(ctx, rec)
	}
	count, write := h.seen.note(h.textOf(&rec), rec.Time)
	if !write {
		return nil
	}
	if count > 0 {
		rec = rec.Clone()
		rec.AddAttrs(slog.Int("repeated", count))
	}
	return h.next.Handle(ctx, rec)
}

// textOf is what equal lines have in common.
func (h *repeats) textOf(rec *slog.Record) string {
	var text strings.Builder
	text.WriteString(h.scope)
	text.WriteString(strconv.Itoa(int(rec.Level)))
	text.WriteString(rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		text.WriteByte(0)
		text.WriteString(a.String())
		return true
	})
	return text.String()
}

// note notes a line. count is how many equal ones were not written since the last one that was.
func (s *seenLines) note(text string, at time.Time) (count int, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.byText[text]
	switch {
	case line == nil:
		if len(s.byText) >= maxRepeats {
			s.forget(at)
		}
		s.byText[text] = &seenLine{written: at}
		return 0, true
	case at.Sub(line.written) < repeatEvery:
		line.since++
		return 0, false
	}
	count, line.since, line.written = line.since, 0, at
	return count, true
}

// forget makes room: first of the lines that would be written anyway, and of all if none would.
func (s *seenLines) forget(at time.Time) {
	for text, line := range s.byText {
		if at.Sub(line.written) >= repeatEvery {
			delete(s.byText, text)
		}
	}
	if len(s.byText) >= maxRepeats {
		clear(s.byText)
	}
}

// WithAttrs implements slog.Handler.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	scope := h.scope
	for _, a := range attrs {
		scope += a.String() + "\x00"
	}
	return &repeats{h.next.WithAttrs(attrs), scope, h.seen}
}

// WithGroup implements slog.Handler.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{h.next.WithGroup(name), h.scope + name + "\x00", h.seen}
}
