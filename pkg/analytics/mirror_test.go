package analytics_test

import (
	"testing"
)

func runAsProjector() {}

func TestTheMirrorHoldsTheLog(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 200)
	m, _ := f.mirror()
	f.exact()
	f.fill(200, 230)
	f.exact()
	f.eventually("ready", func() bool { return m.Ready() == nil })
}
