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
)

// safeReplicas survive one lost broker while another is being replaced.
const safeReplicas = 3

// truthTopics hold what nothing else does: everything but these can be built again.
func truthTopics() []string { return []string{TopicOrders, TopicInventory, TopicLayout} }

// checkTopics refuses topics of the truth that brokers would delete from, and warns of those that a broker could take
// with it.
func (c *Client) checkTopics(ctx context.Context) error {
	if err := c.checkKept(ctx); err != nil {
		return err
	}
	if c.cfg.Embedded {
		return nil // it has no other broker
	}
	var few []string
	for _, topic := range truthTopics() {
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
			"Add replicas with kafka-reassign-partitions; --replication-factor is for topics that are created", "topics", strings.Join(few, ", "))
	}
	return nil
}

// checkKept refuses topics of the truth that brokers would delete from.
func (c *Client) checkKept(ctx context.Context) error {
	configs, err := c.describeConfigs(ctx, truthTopics())
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		c.cfg.Logger.Warn("the brokers do not say how long they keep the events; allow DescribeConfigs to have it checked", "error", err)
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

// describeConfigs asks until the broker that answers knows the topics: of a new one, not every broker knows at once.
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
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Since(began) > unknownTopicTimeout || Sleep(ctx, retryPause) != nil {
			return nil, fmt.Errorf("describe the topics' configuration: %w", err)
		}
	}
}

func (c *Client) checkKeptTopic(topic kadm.ResourceConfig) error {
	kept := keepForEver()
	var wrong, add []string
	for _, config := range topic.Configs {
		want, ok := kept[config.Key]
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
	return fmt.Errorf("topic %s has %s: brokers would delete events, and there is no other copy. Keep them for ever:\n"+
		"  kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s",
		topic.Name, strings.Join(wrong, ", "), c.cfg.Seeds[0], topic.Name, strings.Join(add, ","))
}
