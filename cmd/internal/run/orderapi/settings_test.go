package orderapi

import (
	"context"
	"strings"
	"testing"
)

// What the settings of order-api contradict is told at once, and nothing is started.
func TestEveryContradictionIsToldAtOnce(t *testing.T) {
	p := Program()
	err := p.Start(context.Background(), []string{
		"--peer-listen", "off", "--peer-advertise", "pod-1:9400", "--peer-cert", "tls.crt", "--max-request-memory", "1",
		"--standby-every", "-1s", "--rounding", "up", "--standbys", "0",
	})
	for _, want := range []string{
		"settings: 6 problems", "--standby-every (HOLDFAST_STANDBY_EVERY) \"-1s\": it is negative",
		"--peer-advertise pod-1:9400 and --peer-listen off contradict each other",
		"--peer-cert, --peer-key and --peer-ca belong together", "--max-request-memory 1 is too little",
		"--standbys 0 is too few; give at least 1, or --standby-every 0 for none",
		"--rounding up is not known: it is one of order, line",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}
