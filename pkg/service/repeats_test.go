package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestEqualLinesAreCounted(t *testing.T) {
	var out bytes.Buffer
	h := countRepeats(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	start := time.Unix(0, 0)
	log := func(h slog.Handler, after time.Duration, level slog.Level, msg string, attrs ...slog.Attr) {
		t.Helper()
		rec := slog.NewRecord(start.Add(after), level, msg, 0)
		rec.AddAttrs(attrs...)
		if err := h.Handle(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		log(h, time.Duration(i)*time.Second, slog.LevelWarn, "lost", slog.Int("broker", i%2))
		log(h, time.Duration(i)*time.Second, slog.LevelInfo, "told each time")
	}
	log(h.WithAttrs([]slog.Attr{slog.Int("shard", 1)}), time.Second, slog.LevelWarn, "lost", slog.Int("broker", 0))
	log(h.WithGroup("g"), time.Second, slog.LevelWarn, "lost", slog.Int("broker", 0))
	log(h, time.Minute, slog.LevelWarn, "lost", slog.Int("broker", 0))
	log(h, 2*time.Minute, slog.LevelWarn, "lost", slog.Int("broker", 0))
	want := "level=WARN msg=lost broker=0\n" + "level=INFO msg=\"told each time\"\n" +
		"level=WARN msg=lost broker=1\n" + strings.Repeat("level=INFO msg=\"told each time\"\n", 9) +
		"level=WARN msg=lost shard=1 broker=0\n" + "level=WARN msg=lost g.broker=0\n" +
		"level=WARN msg=lost broker=0 repeated=4\n" + "level=WARN msg=lost broker=0\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

func TestNotTooManyLinesAreRemembered(t *testing.T) {
	s := &seenLines{byText: map[string]*seenLine{}}
	for i := range 3 * maxRepeats {
		s.note(fmt.Sprint(i), time.Unix(0, int64(i)))
	}
	if n := len(s.byText); n > maxRepeats {
		t.Errorf("%d lines are remembered", n)
	}
	s.note("old", time.Unix(0, 0))
	s.forget(time.Unix(60, 0))
	if len(s.byText) != 0 {
		t.Errorf("%d old lines are remembered", len(s.byText))
	}
}
