package eventlog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// planned plans and returns the report on one topic.
func planned(t *testing.T, c *eventlog.Client, topic string) (*eventlog.TopicPlan, eventlog.TopicReport) {
	t.Helper()
	plan, err := c.PlanTopics(logtest.Context(t), eventlog.Layout{PartitionCount: 4, ShardCount: 2})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(plan.Topics, func(r eventlog.TopicReport) bool { return strings.HasSuffix(r.Topic, topic) })
	if i < 0 {
		t.Fatalf("no report on %s", topic)
	}
	return plan, plan.Topics[i]
}

func makeTopic(t *testing.T, cfg eventlog.Config, topic string, partitions int32, config map[string]*string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin, name := kadm.NewClient(client), cfg.TopicPrefix+topic
	if _, err := admin.CreateTopic(logtest.Context(t), partitions, 1, config, name); err != nil {
		t.Fatal(err)
	}
	// Apache Kafka answers before its brokers know the topic.
	for ctx := logtest.Context(t); ; {
		if listed, err := admin.ListTopics(ctx, name); err != nil {
			t.Fatal(err)
		} else if len(listed[name].Partitions) == int(partitions) {
			return
		}
	}
}

func TestTopicsAreAppliedOnce(t *testing.T) {
	c := open(t, logtest.Config(t))
	plan, orders := planned(t, c, eventlog.TopicOrders)
	if plan.Exists || !plan.ToDo() || orders.Action != eventlog.TopicCreate || orders.Partitions != 4 ||
		orders.Config["retention.ms"] != "-1" {
		t.Errorf("before: %+v of %+v", orders, plan)
	}
	if err := c.ApplyTopics(logtest.Context(t), plan); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		plan, orders = planned(t, c, eventlog.TopicOrders)
		if !plan.Exists || plan.ToDo() || plan.Err() != nil || orders.Action != eventlog.TopicNone ||
			orders.Config["cleanup.policy"] != "delete" {
			t.Errorf("after: %+v of %+v", orders, plan)
		}
		if err := c.ApplyTopics(logtest.Context(t), plan); err != nil {
			t.Error(err)
		}
	}
	logtest.DeleteTopic(t, c.Config(), eventlog.TopicInsights) // as one that a later release adds
	if plan, insights := planned(t, c, eventlog.TopicInsights); !plan.ToDo() || insights.Action != eventlog.TopicCreate {
		t.Errorf("a topic is missing: %+v", insights)
	}
}

// Topics that somebody else made are refused, all at once and before anything is created.
func TestTopicsThatCannotBeUsedAreRefused(t *testing.T) {
	policy := func(p string) map[string]*string { return map[string]*string{"cleanup.policy": &p} }
	for _, test := range []struct {
		topic      string
		partitions int32
		config     map[string]*string
		want       string
	}{
		{eventlog.TopicOrders, 3, nil, "has 3 partitions, the layout says 4"},
		{eventlog.TopicInventory, 4, policy("compact"), "has cleanup.policy=compact"},
		{eventlog.TopicInsights, 1, policy("compact"), "there is no other copy. Keep them for ever"},
		{eventlog.TopicAvailability, 5, nil, "has 5 partitions, the layout says 4"},
		{eventlog.TopicAvailability, 4, policy("delete"), "Keep the newest row of each"},
		{eventlog.TopicShards, 2, policy("compact"), "Do not compact it"},
	} {
		cfg := logtest.Config(t)
		cfg.Embedded = false // as on a cluster, topics of rows are compacted
		makeTopic(t, cfg, test.topic, test.partitions, test.config)
		c := open(t, cfg)
		plan, report := planned(t, c, test.topic)
		if len(report.Faults) == 0 || !strings.Contains(strings.Join(report.Faults, "\n"), test.want) {
			t.Errorf("%s: %q, want %q", test.topic, report.Faults, test.want)
		}
		err := c.ApplyTopics(logtest.Context(t), plan)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: applied: %v", test.topic, err)
		}
		if plan, _ := planned(t, c, test.topic); plan.Exists {
			t.Errorf("%s: something was created", test.topic)
		}
	}
}

// The shards' topic gets the partitions that are missing.
func TestTheTopicOfShardsGrows(t *testing.T) {
	cfg := logtest.Config(t)
	makeTopic(t, cfg, eventlog.TopicShards, 1, nil)
	c := open(t, cfg)
	plan, shards := planned(t, c, eventlog.TopicShards)
	if shards.Action != eventlog.TopicGrow || shards.Partitions != 1 {
		t.Errorf("before: %+v", shards)
	}
	if err := c.ApplyTopics(logtest.Context(t), plan); err != nil {
		t.Fatal(err)
	}
	if _, shards = planned(t, c, eventlog.TopicShards); shards.Action != eventlog.TopicNone || shards.Partitions != 2 {
		t.Errorf("after: %+v", shards)
	}
}

// Replicas, and those that must be in sync, are shown, and those that lose events are warned of.
func TestCopiesOfTopics(t *testing.T) {
	for _, test := range []struct {
		brokers             int
		replicas, minInSync int16
		minInSyncAfter      string
		gets                int
		fault, warning      string
	}{
		{brokers: 3, gets: 2},
		{brokers: 3, replicas: 1, gets: 1, warning: "has 1 replica: a broker that is lost may take events"},
		{brokers: 3, minInSync: 1, gets: 1, warning: "has min.insync.replicas=1"},
		{brokers: 3, minInSync: 3, gets: 3, warning: "while a broker is down nothing can be written"},
		{brokers: 3, minInSyncAfter: "4", gets: 2, fault: "nothing can be written to it. Add replicas"},
	} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(test.brokers))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		cfg := eventlog.Config{
			Seeds: cluster.ListenAddrs(), ReplicationFactor: test.replicas, MinInSyncReplicas: test.minInSync,
		}
		c := open(t, cfg)
		plan, orders := planned(t, c, eventlog.TopicOrders)
		if orders.MinInSyncReplicas != test.gets {
			t.Errorf("%+v: a new topic gets %d", test, orders.MinInSyncReplicas)
		}
		if err := c.ApplyTopics(logtest.Context(t), plan); err != nil {
			t.Fatal(err)
		}
		if test.minInSyncAfter != "" {
			alter(t, cfg, eventlog.TopicOrders, "min.insync.replicas", test.minInSyncAfter)
		}
		_, orders = planned(t, c, eventlog.TopicOrders)
		warnings, faults := strings.Join(orders.Warnings, "\n"), strings.Join(orders.Faults, "\n")
		if (warnings == "") != (test.warning == "") || !strings.Contains(warnings, test.warning) ||
			(faults == "") != (test.fault == "") || !strings.Contains(faults, test.fault) {
			t.Errorf("%+v: faults %q, warnings %q", test, faults, warnings)
		}
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	cfg := logtest.Config(t)
	cfg.Embedded, cfg.ReplicationFactor, cfg.MinInSyncReplicas = false, 1, 2
	_, err := open(t, cfg).PlanTopics(logtest.Context(t), oneOfEach)
	if err == nil || !strings.Contains(err.Error(), "Lower --min-insync-replicas") {
		t.Errorf("more in sync than replicas: %v", err)
	}
	_, err = open(t, logtest.Config(t)).PlanTopics(logtest.Context(t), eventlog.Layout{PartitionCount: 1, ShardCount: 2})
	if err == nil || !strings.Contains(err.Error(), "shard count 2 is not between 1 and the partition count 1") {
		t.Errorf("more shards than partitions: %v", err)
	}
	cfg.MinInSyncReplicas = -1
	if _, err := eventlog.Open(cfg); err == nil || !strings.Contains(err.Error(), "-1 in-sync replicas are negative") {
		t.Errorf("a negative number: %v", err)
	}
	refused := open(t, eventlog.Config{Seeds: refusing(t, kerr.TopicAuthorizationFailed), Embedded: true})
	if _, err := refused.EnsurePlatform(logtest.Context(t), oneOfEach); err != nil {
		t.Fatal(err)
	}
	plan, err := refused.PlanTopics(logtest.Context(t), oneOfEach)
	if err != nil || plan.Err() != nil ||
		!strings.Contains(strings.Join(plan.Topics[0].Warnings, ""), "allow DescribeConfigs") {
		t.Errorf("a configuration that is not told: %v, %+v", err, plan)
	}
}
