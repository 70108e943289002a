package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// safeReplicas is how many replicas a topic needs to survive the loss of one broker while another is being replaced.
const safeReplicas = 3

// checkTopics refuses source topics from which brokers would delete records. It warns of those with so few replicas
// that the loss of a broker may lose records.
func (c *Client) checkTopics(ctx context.Context) error {
	if err := c.checkKept(ctx); err != nil {
		return err
	}
	if c.cfg.Embedded {
		return nil // there is one broker
	}
	var few []string
	for _, topic := range sourceTopics() {
		state, err := c.describeTopic(ctx, topic)
		if err != nil {
			return err
		}
		if state.replicas < safeReplicas {
			few = append(few, fmt.Sprintf("%s (%d)", c.cfg.clusterTopic(topic), state.replicas))
		}
	}
	if len(few) > 0 {
		c.cfg.Logger.Warn("topics with few replicas: a broker that is lost may take events with it. "+
			"Add replicas with kafka-reassign-partitions; --replication-factor is for topics that are created",
			"topics", strings.Join(few, ", "))
	}
	return nil
}

// checkKept refuses source topics from which brokers would delete records.
func (c *Client) checkKept(ctx context.Context) error {
	configs, err := c.describeConfigs(ctx, sourceTopics())
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		c.cfg.Logger.Warn("the brokers do not say how long they keep the events; "+
			"allow DescribeConfigs to have it checked", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, topic := range configs {
		errs = append(errs, c.checkKeptTopic(topic))
	}
	return errors.Join(errs...)
}

// describeConfigs asks until a broker answers that knows the topics: not every broker knows a new topic at once.
func (c *Client) describeConfigs(ctx context.Context, topics []string) (kadm.ResourceConfigs, error) {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = c.cfg.clusterTopic(topic)
	}
	for began := time.Now(); ; {
		configs, err := c.admin.DescribeTopicConfigs(ctx, names...)
		for _, topic := range configs {
			err = errors.Join(err, topic.Err)
		}
		if err == nil {
			return configs, nil
		}
		giveUp := !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Since(began) > unknownTopicTimeout
		if giveUp || backoff.Sleep(ctx, retryPause) != nil {
			return nil, fmt.Errorf("describe the topics' configuration: %w", err)
		}
	}
}

func (c *Client) checkKeptTopic(topic kadm.ResourceConfig) error {
	return c.compareConfig(topic, keepForEver(c.cfg.Embedded),
		"brokers would delete events, and there is no other copy. Keep them for ever")
}

// compareConfig compares a topic's configuration with the one that it must have. The error says why, and has the
// command that corrects it.
func (c *Client) compareConfig(topic kadm.ResourceConfig, must topicConfig, why string) error {
	var wrong, add []string
	for _, config := range topic.Configs {
		want, ok := must[config.Key]
		if !ok || config.MaybeValue() == *want {
			continue
		}
		wrong = append(wrong, config.Key+"="+config.MaybeValue())
		add = append(add, config.Key+"="+*want)
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	slices.Sort(add)
	return fmt.Errorf("topic %s has %s: %s:\n"+
		"  kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s",
		topic.Name, strings.Join(wrong, ", "), why, c.cfg.Seeds[0], topic.Name, strings.Join(add, ","))
}
