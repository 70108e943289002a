package orderapi

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// The memory of requests is what the setting says, or else a share of what the process may use.
func TestRequestsTakeAShareOfTheMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for _, test := range []struct {
		mib, limit, want int64
	}{
		{mib: 100, limit: 1 << 30, want: 100 << 20},
		{mib: 0, limit: 1 << 30, want: 128 << 20},
		{mib: 0, limit: 64 << 30, want: defaultMaxRequests},
	} {
		debug.SetMemoryLimit(test.limit)
		if got, err := requestMemory(test.mib); err != nil || got != test.want {
			t.Errorf("%+v: %d, %v", test, got, err)
		}
	}
	if bytes, err := requestMemory(minRequestMiB); err != nil || bytes < httpapi.MinMemory {
		t.Errorf("the least: %d, %v", bytes, err)
	}
	if _, err := requestMemory(minRequestMiB - 1); err == nil || !strings.Contains(err.Error(), "at least 65") {
		t.Errorf("less than the least: %v", err)
	}
}
