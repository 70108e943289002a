package run

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// A service that asks nobody for a key, and that others reach, says so when it starts. One that asks, that nobody else
// reaches, or that has no API, says nothing.
func TestAnOpenAPIIsWarnedOf(t *testing.T) {
	for _, test := range []struct {
		listen string
		mode   access.Mode
		warns  bool
	}{
		{":8080", access.Off, true}, {"0.0.0.0:8080", access.Off, true}, {"10.0.0.7:80", access.Off, true},
		{"127.0.0.1:8080", access.Off, false}, {"localhost:80", access.Off, false}, {"[::1]:80", access.Off, false},
		{":8080", access.ByKey, false}, {":8080", "", false},
	} {
		var told strings.Builder
		s := Service{
			Log: eventlog.Config{Seeds: []string{"127.0.0.1:1"}}, Listen: test.listen, Access: test.mode,
			Logger: slog.New(slog.NewTextHandler(&told, nil)), Registry: prometheus.NewRegistry(),
		}
		server, _, err := s.HTTP()
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(told.String(), "--access keys"); warned != test.warns {
			t.Errorf("%s, %q: %s", test.listen, test.mode, told.String())
		}
		if (server.Keys() != nil) != (test.mode == access.ByKey) || (server.Ready() != nil) != (test.mode == access.ByKey) {
			t.Errorf("%q: keys %v, ready %v", test.mode, server.Keys(), server.Ready())
		}
	}
}
