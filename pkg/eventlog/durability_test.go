package eventlog_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

var oneOfEach = eventlog.Layout{PartitionCount: 1, ShardCount: 1}

// alter changes a topic's configuration, as an operator of the brokers could.
func alter(t *testing.T, cfg eventlog.Config, topic, key, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	change := []kadm.AlterConfig{{Name: key, Value: &value}}
	answers, err := kadm.NewClient(client).AlterTopicConfigs(logtest.Context(t), change, cfg.TopicPrefix+topic)
	if err == nil {
		_, err = answers.On(cfg.TopicPrefix+topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A topic from which brokers would delete events is refused. The error has the command that corrects its configuration.
func TestTopicsAreKeptForEver(t *testing.T) {
	for _, test := range []struct{ topic, key, value, forEver string }{
		{eventlog.TopicOrders, "retention.ms", "604800000", "-1"},
		{eventlog.TopicInventory, "retention.bytes", "1000000", "-1"},
		{eventlog.TopicLayout, "cleanup.policy", "compact", "delete"},
		{eventlog.TopicOrders, "cleanup.policy", "compact,delete", "delete"},
	} {
		cfg := logtest.Config(t)
		p := newPlatform(t, cfg, 1, 1)
		alter(t, cfg, test.topic, test.key, test.value)
		name := cfg.TopicPrefix + test.topic
		_, err := p.EnsurePlatform(logtest.Context(t), oneOfEach)
		for _, want := range []string{
			"topic " + name + " has " + test.key + "=" + test.value + ": ",
			"kafka-configs.sh --bootstrap-server " + cfg.Seeds[0] + " --alter --entity-type topics" +
				" --entity-name " + name + " --add-config " + test.key + "=" + test.forEver,
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it says %v, want %q", err, want)
			}
		}
		alter(t, cfg, test.topic, test.key, test.forEver)
		if _, err := p.EnsurePlatform(logtest.Context(t), oneOfEach); err != nil {
			t.Errorf("after the remedy: %v", err)
		}
	}
}

// refusing answers every DescribeConfigs with an error.
func refusing(t *testing.T, code *kerr.Error) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode = asked.ResourceType, asked.ResourceName, code.Code
			resp.Resources = append(resp.Resources, r)
		}
		return resp, nil, true
	})
	return cluster.ListenAddrs()
}

func TestConfigurationThatIsNotTold(t *testing.T) {
	for code, want := range map[*kerr.Error]string{
		kerr.TopicAuthorizationFailed: "", // only a warning: the user may not have this right
		kerr.InvalidRequest:           "describe the topics' configuration: INVALID_REQUEST",
	} {
		var log bytes.Buffer
		c := open(t, eventlog.Config{
			Seeds: refusing(t, code), Embedded: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		_, err := c.EnsurePlatform(logtest.Context(t), oneOfEach)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", code, err, want)
		}
		if want == "" && !strings.Contains(log.String(), "allow DescribeConfigs") {
			t.Errorf("%v: the log says %s", code, &log)
		}
	}
}

// clusterOf starts that many brokers, which the client does not treat as embedded.
func clusterOf(t *testing.T, brokers int, replicas int16) (*eventlog.Client, *bytes.Buffer) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	var log bytes.Buffer
	c := open(t, eventlog.Config{
		Seeds: cluster.ListenAddrs(), ReplicationFactor: replicas, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	return c, &log
}

// Topics get the number of replicas that is set. Every start warns of few replicas, because they stay few.
func TestReplicas(t *testing.T) {
	for _, test := range []struct {
		brokers  int
		replicas int16
		warns    string
	}{
		{3, 0, ""},
		{3, 3, ""},
		{3, 1, "orders.events (1), inventory.events (1), holdfast.layout (1)"},
		{1, 0, "orders.events (1)"},
	} {
		c, log := clusterOf(t, test.brokers, test.replicas)
		for range 2 {
			log.Reset()
			if _, err := c.EnsurePlatform(logtest.Context(t), oneOfEach); err != nil {
				t.Fatal(err)
			}
			if test.warns == "" && log.Len() > 0 || !strings.Contains(log.String(), test.warns) {
				t.Errorf("%d brokers, %d replicas: the log says %q, want %q",
					test.brokers, test.replicas, log, test.warns)
			}
		}
	}
	few, _ := clusterOf(t, 1, 3)
	_, err := few.EnsurePlatform(logtest.Context(t), oneOfEach)
	if err == nil || !strings.Contains(err.Error(), "3 replicas need as many brokers") {
		t.Errorf("3 replicas on one broker: %v", err)
	}
}
