package eventlog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestDeletePlatformDeletesNoOther(t *testing.T) {
	cfg := logtest.Config(t)
	kept := newPlatform(t, cfg, 2, 1)
	cfg.Env, cfg.TopicPrefix = cfg.Env+"-other", cfg.TopicPrefix+"other."
	deleted := newPlatform(t, cfg, 2, 1)
	for range 2 { // what is gone needs no deleting
		if err := deleted.DeletePlatform(logtest.Context(t)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := deleted.ReadLayout(logtest.Context(t)); !errors.Is(err, eventlog.ErrNoLayout) {
		t.Errorf("the deleted platform: %v", err)
	}
	if _, err := kept.ReadLayout(logtest.Context(t)); err != nil {
		t.Errorf("the other platform: %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := kept.DeletePlatform(done); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
}
