package logonce

import (
	"errors"
	"log/slog"
	"testing"
)

func TestARepeatedErrorIsAWarningOnce(t *testing.T) {
	var logged Error
	one, two := errors.New("one"), errors.New("two")
	port, other := errors.New("dial 127.0.0.1:9092"), errors.New("dial 127.0.0.1:9093")
	for i, c := range []struct {
		err  error
		want slog.Level
	}{
		{one, slog.LevelWarn}, {one, slog.LevelDebug}, {two, slog.LevelWarn}, {one, slog.LevelWarn},
		{port, slog.LevelWarn}, {other, slog.LevelDebug},
	} {
		if level := logged.Level(c.err); level != c.want {
			t.Errorf("error %d is logged at %s, want %s", i, level, c.want)
		}
	}
}
