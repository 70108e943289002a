package eventlog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestDeletePlatformDeletesNoOther(t *testing.T) {
	cfg := logtest.Config(t)
	kept := newPlatform(t, cfg, 2, 1)
	cfg.Env, cfg.TopicPrefix = cfg.Env+"-other", cfg.TopicPrefix+"other."
	deleted := newPlatform(t, cfg, 2, 1)
	for range 2 { // the second time there is nothing to delete
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

func TestDeletePlatformNamesWhatIsLeft(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	p := newPlatform(t, eventlog.Config{Seeds: cluster.ListenAddrs(), Embedded: true}, 1, 1)
	cluster.ControlKey(int16(kmsg.DeleteTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
		for _, asked := range req.(*kmsg.DeleteTopicsRequest).Topics {
			topic := kmsg.NewDeleteTopicsResponseTopic()
			topic.Topic, topic.ErrorCode = asked.Topic, kerr.TopicAuthorizationFailed.Code
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	err = p.DeletePlatform(logtest.Context(t))
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "delete topic holdfast.layout: ") {
		t.Errorf("it says %v", err)
	}
}
