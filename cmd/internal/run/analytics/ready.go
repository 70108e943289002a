package analytics

import (
	"context"
	"log/slog"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/schemas/insights"
)

// readyInsights makes the ready insights live.
type readyInsights struct {
	service *replay.Service
	logger  *slog.Logger
	// mayBegin is nil once the tables are there, and the decisions of before are known.
	mayBegin func() error
}

// apply creates the replays that are missing. It tries until it has, or ctx is done.
func (r *readyInsights) apply(ctx context.Context) error {
	ready, err := insights.Ready()
	if err != nil {
		return err
	}
	pauses := backoff.ForStores()
	for {
		err := r.mayBegin()
		if err == nil {
			err = r.service.ApplyReady(ctx, ready, catalog.Principal{Name: "analytics-projector", Verified: true})
		}
		if err == nil {
			<-ctx.Done() // a service ends when one of its parts does
			return nil
		}
		if pauses.Sleep(ctx) != nil {
			return nil
		}
		r.logger.Debug("the ready insights are not live yet", "why", err)
	}
}
