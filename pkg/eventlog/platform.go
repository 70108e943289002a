package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EnsurePlatform creates the topics that are missing and returns the layout. The wanted layout matters only
// when the platform is created; later the log's own wins. Several replicas may call it at once.
func (c *Client) EnsurePlatform(ctx context.Context, want Layout) (Layout, error) {
	want.Generation = 1
	if err := want.Validate(); err != nil {
		return Layout{}, err
	}
	// Brokers that are not there yet are waited for below; ones that refuse this client will do so again.
	var refused *refusedError
	if err := c.Ping(ctx); errors.As(err, &refused) {
		return Layout{}, err
	}
	if _, err := c.createTopic(ctx, TopicLayout, 1, keepForEver()); err != nil {
		return Layout{}, err
	}
	// The layout stands before the topics that follow from it: of two replicas with different wishes, one
	// wins here, and the topics get its counts.
	l, err := c.appendLayout(ctx, func(history []Layout) (Layout, bool, error) {
		if len(history) > 0 {
			return history[len(history)-1], false, nil
		}
		err := c.checkPartitionCount(ctx, want)
		if err == nil {
			return want, true, nil
		}
		// Topics come after the layout: another replica may have created both since we read the history.
		if history, histErr := c.layoutHistory(ctx); histErr == nil && len(history) > 0 {
			return history[len(history)-1], false, nil
		}
		return Layout{}, false, err
	})
	if err != nil {
		return Layout{}, err
	}
	if err := c.ensureTopics(ctx, l); err != nil {
		return Layout{}, err
	}
	return l, c.checkTopics(ctx)
}

// checkPartitionCount refuses to write a first layout beside event topics of another size.
func (c *Client) checkPartitionCount(ctx context.Context, want Layout) error {
	for _, topic := range []string{TopicOrders, TopicInventory} {
		have, err := c.partitionCount(ctx, topic)
		if err != nil {
			return err
		}
		if have != 0 && have != want.PartitionCount {
			return c.wrongPartitionCount(topic, have, want.PartitionCount)
		}
	}
	return nil
}

// ensureTopics creates the topics that follow from the layout, and checks those that exist.
func (c *Client) ensureTopics(ctx context.Context, l Layout) error {
	availability := keepForEver()
	if !c.cfg.Embedded { // the in-process broker loses committed data when it compacts
		availability = map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}
	}
	for _, t := range []struct {
		name       string
		partitions int32
		configs    map[string]*string
	}{
		{TopicOrders, l.PartitionCount, keepForEver()},
		{TopicInventory, l.PartitionCount, keepForEver()},
		{TopicAvailability, l.PartitionCount, availability},
		{TopicDeadLetters, 1, keepForEver()},
		// Segments roll every ten minutes: the broker deletes whole segments only.
		{TopicShards, l.ShardCount, map[string]*string{
			"retention.ms": kadm.StringPtr("3600000"), "segment.ms": kadm.StringPtr("600000"),
		}},
	} {
		have, err := c.createTopic(ctx, t.name, t.partitions, t.configs)
		if err != nil {
			return err
		}
		if t.name == TopicShards {
			err = c.growTopic(ctx, t.name, t.partitions)
		} else if have != t.partitions {
			err = c.wrongPartitionCount(t.name, have, t.partitions)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeletePlatform deletes every topic of the platform, with all that it holds.
func (c *Client) DeletePlatform(ctx context.Context) error {
	var topics []string
	for _, topic := range []string{TopicOrders, TopicInventory, TopicAvailability, TopicShards, TopicLayout, TopicDeadLetters} {
		topics = append(topics, c.cfg.clusterTopic(topic))
	}
	resps, err := c.admin.DeleteTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("delete the platform's topics: %w", err)
	}
	var errs []error
	for _, resp := range resps.Sorted() {
		if resp.Err != nil && !errors.Is(resp.Err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("delete topic %s: %w", resp.Topic, resp.Err))
		}
	}
	return errors.Join(errs...)
}

// keepForEver says all of it: what is not said is the brokers' default, which may delete.
func keepForEver() map[string]*string {
	return map[string]*string{
		"retention.ms": kadm.StringPtr("-1"), "retention.bytes": kadm.StringPtr("-1"), "cleanup.policy": kadm.StringPtr("delete"),
	}
}

func (c *Client) wrongPartitionCount(topic string, have, want int32) error {
	return fmt.Errorf("topic %s has %d partitions, the layout says %d: the partition of a key never changes, "+
		"so delete the topic while it is empty, or create the platform with partition count %d, or use another topic prefix",
		c.cfg.clusterTopic(topic), have, want, have)
}

// createTopic creates the topic unless it exists, waits until every partition can be used, and returns how
// many there are. Asking once more could find a broker that has not heard of the topic yet.
func (c *Client) createTopic(ctx context.Context, topic string, partitions int32, configs map[string]*string) (int32, error) {
	have, err := c.partitionCount(ctx, topic)
	if err != nil {
		return 0, err
	}
	if have == 0 {
		if err := c.requestTopic(ctx, topic, partitions, configs); err != nil {
			return 0, fmt.Errorf("create topic %s: %w", c.cfg.clusterTopic(topic), err)
		}
	}
	return c.awaitTopic(ctx, topic, 1)
}

func (c *Client) requestTopic(ctx context.Context, topic string, partitions int32, configs map[string]*string) error {
	replicas := c.cfg.ReplicationFactor
	if replicas == 0 {
		brokers, err := c.admin.ListBrokers(ctx)
		if err != nil {
			return err
		}
		replicas = int16(min(3, len(brokers)))
	}
	if c.cfg.Embedded {
		replicas = 1
	} else {
		configs["unclean.leader.election.enable"] = kadm.StringPtr("false")
		configs["min.insync.replicas"] = kadm.StringPtr("1")
		if replicas >= 3 {
			configs["min.insync.replicas"] = kadm.StringPtr("2")
		}
	}
	resps, err := c.admin.CreateTopics(ctx, partitions, replicas, configs, c.cfg.clusterTopic(topic))
	if err != nil {
		return err
	}
	for _, resp := range resps {
		switch {
		case errors.Is(resp.Err, kerr.InvalidReplicationFactor):
			return fmt.Errorf("%d replicas need as many brokers; wait until the cluster has them, or set --replication-factor: %w", replicas, resp.Err)
		case resp.Err != nil && !errors.Is(resp.Err, kerr.TopicAlreadyExists):
			return fmt.Errorf("%w %s", resp.Err, resp.ErrMessage)
		}
	}
	return nil
}

// growTopic adds partitions until there are at least that many.
func (c *Client) growTopic(ctx context.Context, topic string, partitions int32) error {
	have, err := c.partitionCount(ctx, topic)
	if err != nil || have >= partitions {
		return err
	}
	resps, err := c.admin.UpdatePartitions(ctx, int(partitions), c.cfg.clusterTopic(topic))
	if err == nil {
		err = resps.Error()
	}
	// Another replica may have been first; awaiting them tells.
	if err != nil && !errors.Is(err, kerr.InvalidPartitions) {
		return fmt.Errorf("add partitions to %s: %w", c.cfg.clusterTopic(topic), err)
	}
	_, err = c.awaitTopic(ctx, topic, partitions)
	return err
}

// partitionCount is the topic's number of partitions, 0 when it does not exist.
func (c *Client) partitionCount(ctx context.Context, topic string) (int32, error) {
	state, err := c.describeTopic(ctx, topic)
	return state.partitions, err
}

// topicState is what a broker knows of a topic; zero when it does not exist.
type topicState struct {
	partitions int32
	replicas   int  // of the partition that has the fewest
	usable     bool // every partition has a leader
}

// describeTopic asks a broker, past the client's cache: the cache would tell of a new topic up to
// metadataMinAge late.
func (c *Client) describeTopic(ctx context.Context, topic string) (topicState, error) {
	name := c.cfg.clusterTopic(topic)
	req := kmsg.NewPtrMetadataRequest()
	reqTopic := kmsg.NewMetadataRequestTopic()
	reqTopic.Topic = &name
	req.Topics = append(req.Topics, reqTopic)
	resp, err := req.RequestWith(ctx, c.kafka)
	if err != nil {
		return topicState{}, fmt.Errorf("describe topic %s: %w", name, err)
	}
	var state topicState
	for _, t := range resp.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return topicState{}, nil
		case err != nil && !kerr.IsRetriable(err):
			return topicState{}, fmt.Errorf("describe topic %s: %w", name, err)
		}
		state = topicState{partitions: int32(len(t.Partitions)), usable: t.ErrorCode == 0}
		for i, p := range t.Partitions {
			state.usable = state.usable && p.ErrorCode == 0 && p.Leader >= 0
			if i == 0 || len(p.Replicas) < state.replicas {
				state.replicas = len(p.Replicas)
			}
		}
	}
	return state, nil
}

// awaitTopic waits until the topic shows at least that many partitions and each has a leader: brokers learn
// of a new topic a moment after it was created. It returns how many there are.
func (c *Client) awaitTopic(ctx context.Context, topic string, partitions int32) (int32, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, retryPause) {
		state, err := c.describeTopic(ctx, topic)
		if err != nil {
			return 0, err
		}
		if state.usable && state.partitions >= partitions {
			return state.partitions, nil
		}
		if Sleep(ctx, wait) != nil {
			return 0, fmt.Errorf("topic %s: not all of its partitions have a leader: %w", c.cfg.clusterTopic(topic), ctx.Err())
		}
	}
}
