package eventlog_test

import (
	"errors"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

var oneShard = eventlog.Layout{PartitionCount: 2, ShardCount: 1}

// Writers with different environments have different transactional IDs, so that Kafka does not fence one by the other.
func TestTopicsHaveOneEnvironment(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	other := p.cfg
	other.Env = "other-" + p.cfg.Env
	c := open(t, other)
	_, err := c.EnsurePlatform(logtest.Context(t), oneShard)
	var wrong *eventlog.EnvError
	if !errors.As(err, &wrong) || wrong.OtherEnv != p.cfg.Env {
		t.Errorf("another environment on the same topics: %v", err)
	}
	wantError(t, err, "Start with --env "+p.cfg.Env, "--topic-prefix")
	if _, err := c.ChangeLayout(logtest.Context(t), 2); !errors.As(err, &wrong) {
		t.Errorf("change the layout: %v", err)
	}
	// Also without EnsurePlatform, nobody gets the right to write under another environment.
	_, err = eventlog.OpenWriter(logtest.Context(t), open(t, other), p.layout, 0)
	if !errors.As(err, &wrong) {
		t.Errorf("acquire a shard: %v", err)
	}
	if l, err := open(t, p.cfg).EnsurePlatform(logtest.Context(t), oneShard); err != nil || l != p.layout {
		t.Errorf("its own environment: %+v, %v", l, err)
	}
}

// Two platforms with one environment would fence each other's writers.
func TestAnEnvironmentHasOnePlatform(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	second := p.cfg
	second.TopicPrefix = "second." + p.cfg.TopicPrefix
	c := open(t, second)
	_, err := c.EnsurePlatform(logtest.Context(t), oneShard)
	var wrong *eventlog.EnvError
	if !errors.As(err, &wrong) || wrong.OtherPrefix != p.cfg.TopicPrefix {
		t.Errorf("the environment of another platform: %v", err)
	}
	wantError(t, err, "choose another --env")
	if _, err := c.ReadLayout(logtest.Context(t)); !errors.Is(err, eventlog.ErrNoLayout) {
		t.Errorf("the platform was created all the same: %v", err)
	}
	second.Env = "second-" + p.cfg.Env
	if _, err := open(t, second).EnsurePlatform(logtest.Context(t), oneShard); err != nil {
		t.Errorf("with another environment: %v", err)
	}
	if err := c.DeletePlatform(logtest.Context(t)); err != nil {
		t.Error(err)
	}
}

// A platform that was created before environments were recorded gets that of the first process that starts.
func TestAPlatformWithoutEnvironmentGetsOne(t *testing.T) {
	cfg := logtest.Config(t)
	createTopic(t, cfg, eventlog.TopicLayout, 1)
	alter(t, cfg, eventlog.TopicLayout, "retention.ms", "-1")
	before := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicLayout}, Key: []byte("1"),
		Value: []byte(`{"generation":1,"partition_count":2,"shard_count":1}`),
	}
	c := open(t, cfg)
	if err := c.Produce(logtest.Context(t), []*eventlog.Record{before}); err != nil {
		t.Fatal(err)
	}
	want := eventlog.Layout{Generation: 1, PartitionCount: 2, ShardCount: 1}
	for range 2 {
		if l, err := c.EnsurePlatform(logtest.Context(t), oneShard); err != nil || l != want {
			t.Fatalf("%+v, %v", l, err)
		}
	}
	other := cfg
	other.Env = "other-" + cfg.Env
	var wrong *eventlog.EnvError
	if _, err := open(t, other).EnsurePlatform(logtest.Context(t), oneShard); !errors.As(err, &wrong) {
		t.Errorf("another environment: %v", err)
	}
	if l, err := c.ChangeLayout(logtest.Context(t), 2); err != nil || l.Generation != 2 {
		t.Errorf("the next generation: %+v, %v", l, err)
	}
}
