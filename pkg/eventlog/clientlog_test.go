package eventlog

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Lines of the client keep what they hint at, and lose what makes each repeated line differ.
func TestTheClientsLinesSayWhatFollows(t *testing.T) {
	for line, says := range map[string]string{
		"unable to open connection to broker": "cannot be reached",
		"unable to open connection to broker due to an immediate EOF, which often means (is TLS misconfigured?)": "TLS",
		"read from broker errored, killing connection after 0 successful responses (is SASL missing?)":           "SASL",
		"group manage loop errored": "consumer group does not answer",
		"something else":            "kafka: something else",
	} {
		var out bytes.Buffer
		clientLogger{slog.New(slog.NewTextHandler(&out, nil))}.Log(kgo.LogLevelWarn, line, "addr", "b:9", "backoff", "5s")
		if text := out.String(); !strings.Contains(text, says) || !strings.Contains(text, "b:9") ||
			strings.Contains(text, "backoff") {
			t.Errorf("%s: it says %s", line, text)
		}
	}
}

// A partition that takes no records is told by the line on its broker, once and not for each partition.
func TestTheClientsLinesAreNotToldTwice(t *testing.T) {
	var out bytes.Buffer
	log := clientLogger{slog.New(slog.NewTextHandler(&out, nil))}
	log.Log(kgo.LogLevelError, "group manage loop errored", "group", "g", "err", "dial 127.0.0.1:9092")
	if !strings.Contains(out.String(), "does not answer") || strings.Contains(out.String(), "9092") {
		t.Errorf("it says %s", out.String())
	}
	out.Reset()
	log.Log(kgo.LogLevelWarn, "produce partition load error, bumping error count on first stored batch", "partition", 1)
	if out.Len() > 0 {
		t.Errorf("it says %s", out.String())
	}
}
