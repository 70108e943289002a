package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb"
)

// startClickHouse starts the embedded engine, unless there is none, or another, which must answer: a mistake in its
// address would show in reports alone, and late.
func (s *Stack) startClickHouse(ctx, background context.Context) error {
	switch s.cfg.ClickHouse {
	case "", EmbeddedClickHouse:
	case NoClickHouse:
		return nil
	default:
		if err := clickhouse.Reach(ctx, s.cfg.ClickHouse, ""); err != nil {
			return fmt.Errorf("%w\nStart it, or name another with --clickhouse; --clickhouse %s runs without reports", err,
				NoClickHouse)
		}
		s.clickHouse = s.cfg.ClickHouse
		return nil
	}
	engine, err := s.cfg.startEngine(ctx, chdb.Options{
		Dir: filepath.Join(s.cfg.Dir, "clickhouse"), Listen: s.cfg.ClickHouseListen, Nice: engineNice, Logger: s.cfg.Logger,
	})
	if errors.Is(err, chdb.ErrNoBuild) && s.cfg.ClickHouse == "" {
		s.notice = "It runs without reports: " + chdb.ErrNoBuild.Error() + " for this machine; --clickhouse names a server."
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w\n--clickhouse %s runs without reports", err, NoClickHouse)
	}
	s.done.Go(func() { s.watchEngine(background, engine) })
	s.engine, s.clickHouse = engine, engine.URL(clickhouse.DefaultDatabase)
	return nil
}

// watchEngine reports an engine that does not start again.
func (s *Stack) watchEngine(background context.Context, engine *chdb.Server) {
	select {
	case err := <-engine.Failed():
		s.report(background, "clickhouse", err)
	case <-background.Done():
	}
}
