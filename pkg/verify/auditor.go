package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/projector"
)

// Defaults of an auditor.
const (
	// DefaultGrace is how long an order or a row may be unlike the stock that it follows from, once everything that was
	// in the log when it changed is read.
	DefaultGrace = 30 * time.Second
	// DefaultOverdueAfter is how long an order may wait for stock of another shard before it is overdue.
	DefaultOverdueAfter = 10 * time.Minute
)

// memTableBytes is how much of what was written last may be in memory, twice.
const memTableBytes = 8 << 20

// diskFormat is raised when the records on disk change: an auditor with another format begins with the log's start.
const diskFormat = 11

// AuditorConfig is what an Auditor needs.
type AuditorConfig struct {
	// Dir is the folder of its records. When it is deleted, the auditor reads the log from its start again.
	Dir        string
	Client     *eventlog.Client
	Layout     eventlog.Layout
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Grace is the time that orders and their stock have to agree; 0: DefaultGrace. It counts while the auditor reads the
	// log, in steps of a second.
	Grace time.Duration
	// OverdueAfter is the time after which an order that waits for stock is counted as overdue; 0: DefaultOverdueAfter.
	OverdueAfter time.Duration

	tick time.Duration // tests are in a hurry; 0: tickInterval
}

// Auditor follows the log, and checks each record as it comes. It finds what Run finds in a whole log, but for what
// only a comparison with clients' answers or with ClickHouse shows. Run, Ready, Age and Lag come from the runtime.
//
// Its records are on disk; in memory are those that were used of late, at most maxWeight of each table twice. So its
// memory does not grow with the log.
type Auditor struct {
	*projector.Runtime
	view *auditView
}

// NewAuditor opens the records of an earlier run, or begins with the log's start.
func NewAuditor(cfg AuditorConfig) (*Auditor, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.OverdueAfter == 0 {
		cfg.OverdueAfter = DefaultOverdueAfter
	}
	if cfg.tick == 0 {
		cfg.tick = tickInterval
	}
	dir := filepath.Join(cfg.Dir, fmt.Sprintf("f%d", diskFormat))
	db, err := localstore.OpenOrBuild(dir, memTableBytes, func(err error) {
		cfg.Logger.Warn("the auditor's records are damaged; it reads the log from its start", "error", err)
	})
	if err != nil {
		return nil, fmt.Errorf("the auditor's records: %w", err)
	}
	v := &auditView{cfg: cfg, disk: &disk{db: db, maxWeight: maxWeight}}
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory, eventlog.TopicAvailability} {
		v.partitions = append(v.partitions, projector.Partitions(topic, cfg.Layout)...)
	}
	a := &Auditor{view: v}
	a.Runtime, err = projector.New(projector.Config{
		Name: "audit", Partitions: v.partitions, View: v, Client: cfg.Client, Logger: cfg.Logger,
		Follow: cfg.Client.FollowWhole, Background: v.background,
	})
	if err == nil {
		err = v.register(cfg.Registerer, a.Runtime)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

// Run follows the log until ctx is done. It ends with an error when the disk fails or the records on it are damaged;
// an auditor that is made again reads the log from its start then.
func (a *Auditor) Run(ctx context.Context) error {
	return a.view.disk.db.While(ctx, "the auditor's records", a.Runtime.Run)
}

// Close saves what was folded; Run must have returned.
func (a *Auditor) Close() error { return a.view.close() }

// Status is what /readyz shows of the auditor.
func (a *Auditor) Status() any {
	s := a.view.snapshot()
	violations := map[string]int64{}
	for i, n := range names {
		if v := s.checked[i].violations; v > 0 {
			violations[n.id] = v
		}
	}
	return map[string]any{
		"position": eventlog.PositionOf(s.next).String(), "events": s.events, "violations": violations,
		"waiting_orders": s.waiting, "overdue_orders": s.overdue,
	}
}
