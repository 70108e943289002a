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
