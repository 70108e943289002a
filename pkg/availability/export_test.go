package availability

import (
	"context"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// BeginAt begins as the runtime does, after the log said that it ends at end.
func (p *Projector) BeginAt(ctx context.Context, end eventlog.Offsets) (eventlog.Offsets, error) {
	return p.view.Begin(ctx, end)
}

// Close closes the client that BeginAt opened.
func (p *Projector) Close() { p.view.close() }
