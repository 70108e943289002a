package eventlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicAction is what has to be done for a topic.
type TopicAction string

// The actions.
const (
	TopicNone   TopicAction = "none"
	TopicCreate TopicAction = "create"
	TopicGrow   TopicAction = "add_partitions"
)

// TopicReport compares a topic with what Holdfast needs.
type TopicReport struct {
	// Topic is the name in the cluster, with the prefix.
	Topic string `json:"topic"`
	// Source: no other topic has the same data. The others can be built again from these.
	Source bool `json:"source"`
	// Partitions are those that it has; of one that is to be created, those that it gets.
	Partitions int32 `json:"partitions"`
	// ReplicationFactor and MinInSyncReplicas are those that it has, or gets. 0: the brokers do not tell.
	ReplicationFactor int `json:"replication_factor"`
	MinInSyncReplicas int `json:"min_insync_replicas"`
	// Config has what decides how long records are kept, by the names of Kafka.
	Config map[string]string `json:"config"`
	Action TopicAction       `json:"action"`
	// Faults are why the platform cannot, or must not, use the topic as it is, and what to do.
	Faults []string `json:"faults,omitempty"`
	// Warnings do not keep anything from working.
	Warnings []string `json:"warnings,omitempty"`
}

// TopicPlan is what has to be done so that the cluster has every topic as Holdfast needs it.
type TopicPlan struct {
	// Exists: the platform has been created, and its layout decides. Otherwise the layout is the wanted one.
	Exists bool          `json:"exists"`
	Layout Layout        `json:"layout"`
	Topics []TopicReport `json:"topics"`
}

// ToDo reports whether applying the plan would change anything.
func (p *TopicPlan) ToDo() bool {
	return !p.Exists || slices.ContainsFunc(p.Topics, func(t TopicReport) bool { return t.Action != TopicNone })
}

// Err has every fault of every topic; nil: there are none.
func (p *TopicPlan) Err() error {
	var errs []error
	for _, t := range p.Topics {
		for _, fault := range t.Faults {
			errs = append(errs, errors.New(fault))
		}
	}
	return errors.Join(errs...)
}

// PlanTopics compares the topics of the cluster with what Holdfast needs, and changes nothing. want counts where the
// platform has not been created.
func (c *Client) PlanTopics(ctx context.Context, want Layout) (*TopicPlan, error) {
	want.Generation = 1
	plan := &TopicPlan{Layout: want}
	if err := want.Validate(); err != nil {
		return nil, err
	}
	have, err := c.ReadLayout(ctx)
	switch {
	case err == nil:
		plan.Layout, plan.Exists = have, true
	case !errors.Is(err, ErrNoLayout):
		return nil, err
	}
	fresh, err := c.copiesOfNew(ctx)
	if err != nil {
		return nil, err
	}
	for _, spec := range topics {
		if spec.onDemand {
			continue
		}
		report, err := c.planTopic(ctx, spec, plan.Layout, fresh)
		if err != nil {
			return nil, err
		}
		plan.Topics = append(plan.Topics, report)
	}
	return plan, nil
}

// ApplyTopics creates the topics that are missing, adds partitions where they may be added, and creates the platform if
// there is none. Where anything is wrong with a topic it changes nothing, and the error has all that is.
func (c *Client) ApplyTopics(ctx context.Context, plan *TopicPlan) error {
	if err := plan.Err(); err != nil {
		return err
	}
	_, err := c.EnsurePlatform(ctx, plan.Layout)
	return err
}

func (c *Client) planTopic(ctx context.Context, spec topicSpec, l Layout, fresh copies) (TopicReport, error) {
	r := TopicReport{Topic: c.cfg.clusterTopic(spec.name), Source: spec.source, Action: TopicNone}
	want := spec.partitions(l)
	state, err := c.describeTopic(ctx, spec.name)
	if err != nil {
		return r, err
	}
	if state.partitions == 0 {
		r.Action, r.Partitions, r.Config = TopicCreate, want, map[string]string{}
		r.ReplicationFactor, r.MinInSyncReplicas = int(fresh.replicas), int(fresh.minInSync)
		for key, value := range spec.config(c.cfg.Embedded) {
			r.Config[key] = *value
		}
		return r, nil
	}
	r.Partitions, r.ReplicationFactor = state.partitions, state.replicas
	switch {
	case spec.grows && state.partitions < want:
		r.Action = TopicGrow
	case !spec.grows && state.partitions != want:
		r.Faults = append(r.Faults, c.wrongPartitionCount(spec.name, state.partitions, want).Error())
	}
	return r, c.compareTopic(ctx, spec, &r)
}

// keptConfigs are the settings of a topic that are shown.
var keptConfigs = []string{"cleanup.policy", "retention.bytes", "retention.ms"}

// compareTopic compares a topic's configuration with what it must be.
func (c *Client) compareTopic(ctx context.Context, spec topicSpec, r *TopicReport) error {
	configs, err := c.describeConfigs(ctx, []string{spec.name})
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		r.Warnings = append(r.Warnings, "the brokers do not say how long they keep the records of "+r.Topic+
			": allow DescribeConfigs to have it checked")
		return nil
	}
	if err != nil {
		return err
	}
	config := configs[0]
	all := map[string]string{}
	for _, entry := range config.Configs {
		all[entry.Key] = entry.MaybeValue()
	}
	r.Config = maps.Clone(all)
	maps.DeleteFunc(r.Config, func(key, _ string) bool { return !slices.Contains(keptConfigs, key) })
	if spec.source {
		if err := c.checkKeptTopic(config); err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
	} else if err := c.checkDerived(spec, config); err != nil {
		r.Faults = append(r.Faults, err.Error())
	}
	if !c.cfg.Embedded {
		c.compareCopies(spec, all, r)
	}
	return nil
}

// checkDerived refuses a topic that can be built again, but whose brokers would delete what its readers need, or keep
// its producers from writing.
func (c *Client) checkDerived(spec topicSpec, topic kadm.ResourceConfig) error {
	policy := ""
	limits := false
	for _, entry := range topic.Configs {
		switch entry.Key {
		case "cleanup.policy":
			policy = entry.MaybeValue()
		case "retention.ms", "retention.bytes":
			limits = limits || entry.MaybeValue() != "-1"
		}
	}
	deletes, compacts := strings.Contains(policy, "delete"), strings.Contains(policy, "compact")
	switch must := spec.config(c.cfg.Embedded); {
	case *must["cleanup.policy"] == "compact" && deletes && limits:
		return c.compareConfig(topic, must, "brokers would delete the newest rows of items that change seldom. "+
			"Keep the newest row of each")
	case *must["cleanup.policy"] == "delete" && compacts:
		return c.compareConfig(topic, topicConfig{"cleanup.policy": must["cleanup.policy"]},
			"its records have no keys, and brokers refuse those in a topic that they compact. Do not compact it")
	}
	return nil
}

// compareCopies looks whether the loss of a broker loses records, or stops writing.
func (c *Client) compareCopies(spec topicSpec, config map[string]string, r *TopicReport) {
	minInSync, err := strconv.Atoi(config["min.insync.replicas"])
	if err == nil {
		r.MinInSyncReplicas = minInSync
	}
	alter := func(value int) string {
		return fmt.Sprintf("\n  kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s "+
			"--add-config min.insync.replicas=%d", c.cfg.Seeds[0], r.Topic, value)
	}
	switch {
	case err == nil && minInSync > r.ReplicationFactor:
		r.Faults = append(r.Faults, fmt.Sprintf("topic %s has %s but min.insync.replicas=%d: nothing can be written to it. "+
			"Add replicas with kafka-reassign-partitions, or lower it:%s",
			r.Topic, replicas(r.ReplicationFactor), minInSync, alter(max(1, r.ReplicationFactor-1))))
	case !spec.source:
	case r.ReplicationFactor < safeReplicas:
		r.Warnings = append(r.Warnings, fmt.Sprintf("topic %s has %s: a broker that is lost may take events with it. "+
			"Add replicas with kafka-reassign-partitions", r.Topic, replicas(r.ReplicationFactor)))
	case err == nil && minInSync == 1:
		r.Warnings = append(r.Warnings, fmt.Sprintf("topic %s has min.insync.replicas=1: a broker that is lost may take "+
			"acknowledged events with it:%s", r.Topic, alter(2)))
	case err == nil && minInSync == r.ReplicationFactor:
		r.Warnings = append(r.Warnings, fmt.Sprintf("topic %s has min.insync.replicas=%d of %d: while a broker is down "+
			"nothing can be written:%s", r.Topic, minInSync, r.ReplicationFactor, alter(minInSync-1)))
	}
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return strconv.Itoa(n) + " replicas"
}
