package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// EnsurePlatform creates the topics that are missing and returns the layout. The wanted layout matters only when the
// platform is created; later the layout in the log wins. Several replicas may call it at once. It returns an EnvError
// when the platform has another environment, or when the environment is that of another platform.
func (c *Client) EnsurePlatform(ctx context.Context, want Layout) (Layout, error) {
	want.Generation = 1
	if err := want.Validate(); err != nil {
		return Layout{}, err
	}
	// Brokers that refuse this client will do so again.
	if err := c.Ping(ctx); IsRefused(err) {
		return Layout{}, err
	}
	if err := c.checkRestored(ctx); err != nil {
		return Layout{}, err
	}
	if _, err := c.createTopic(ctx, TopicLayout, 1, keepForEver(c.cfg.Embedded)); err != nil {
		return Layout{}, err
	}
	// The layout is written before the topics that depend on it. Of two replicas that want different layouts, one wins
	// here, and the topics get its counts.
	l, err := c.appendLayout(ctx, func(history []Layout, env string) (Layout, bool, error) {
		if len(history) > 0 {
			return c.keepLayout(ctx, history[len(history)-1], env)
		}
		err := c.checkPartitionCount(ctx, want)
		if err == nil {
			return want, true, c.checkEnvUnused(ctx)
		}
		// Topics come after the layout: another replica may have created both since we read the history.
		if history, env, histErr := c.layoutHistory(ctx); histErr == nil && len(history) > 0 {
			return c.keepLayout(ctx, history[len(history)-1], env)
		}
		return Layout{}, false, err
	})
	if err != nil {
		return Layout{}, err
	}
	if l.PartitionCount != want.PartitionCount || l.ShardCount != want.ShardCount {
		c.cfg.Logger.Info("the platform keeps the partitions and shards that it was created with; "+
			"--partitions and --shards have no effect",
			"partitions", l.PartitionCount, "shards", l.ShardCount,
			"asked_partitions", want.PartitionCount, "asked_shards", want.ShardCount)
	}
	if err := c.ensureTopics(ctx, l); err != nil {
		return Layout{}, err
	}
	return l, c.checkTopics(ctx)
}

// checkPartitionCount refuses to write a first layout when event topics exist with another number of partitions.
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

// ensureTopics creates the topics that depend on the layout, and checks those that exist.
func (c *Client) ensureTopics(ctx context.Context, l Layout) error {
	for _, t := range topics {
		if t.name == TopicLayout || t.onDemand {
			continue // the layout was created first, with the layout in it
		}
		want := t.partitions(l)
		have, err := c.createTopic(ctx, t.name, want, t.config(c.cfg.Embedded))
		if err != nil {
			return err
		}
		if t.grows {
			err = c.growTopic(ctx, t.name, want)
		} else if have != want {
			err = c.wrongPartitionCount(t.name, have, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeletePlatform deletes every topic of the platform with all its records.
func (c *Client) DeletePlatform(ctx context.Context) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = c.cfg.clusterTopic(t.name)
	}
	resps, err := c.admin.DeleteTopics(ctx, names...)
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

func (c *Client) wrongPartitionCount(topic string, have, want int32) error {
	return fmt.Errorf("topic %s has %d partitions, the layout says %d: the partition of a key never changes, "+
		"so delete the topic while it is empty, or create the platform with partition count %d, "+
		"or use another topic prefix",
		c.cfg.clusterTopic(topic), have, want, have)
}

// createTopic creates the topic unless it exists, waits until every partition can be used, and returns the number of
// partitions. Callers use that number: another request could reach a broker that does not know the topic yet.
func (c *Client) createTopic(
	ctx context.Context, topic string, partitions int32, config topicConfig,
) (int32, error) {
	have, err := c.partitionCount(ctx, topic)
	if err != nil {
		return 0, err
	}
	if have == 0 {
		if err := c.requestTopic(ctx, topic, partitions, config); err != nil {
			return 0, fmt.Errorf("create topic %s: %w", c.cfg.clusterTopic(topic), err)
		}
	}
	return c.awaitTopic(ctx, topic, 1)
}

func (c *Client) requestTopic(ctx context.Context, topic string, partitions int32, config topicConfig) error {
	copies, err := c.copiesOfNew(ctx)
	if err != nil {
		return err
	}
	replicas := copies.replicas
	if !c.cfg.Embedded {
		config["unclean.leader.election.enable"] = kadm.StringPtr("false")
		config["min.insync.replicas"] = kadm.StringPtr(strconv.Itoa(int(copies.minInSync)))
	}
	resps, err := c.admin.CreateTopics(ctx, partitions, replicas, config, c.cfg.clusterTopic(topic))
	if err != nil {
		return err
	}
	for _, resp := range resps {
		switch {
		case errors.Is(resp.Err, kerr.InvalidReplicationFactor):
			return fmt.Errorf(
				"%d replicas need as many brokers; wait until the cluster has them, or set --replication-factor: %w",
				replicas, resp.Err)
		case resp.Err != nil && !errors.Is(resp.Err, kerr.TopicAlreadyExists):
			return fmt.Errorf("%w %s", resp.Err, resp.ErrMessage)
		}
	}
	return nil
}

// copies are how many brokers have a topic, and how many of them must have a record before it is acknowledged.
type copies struct{ replicas, minInSync int16 }

// copiesOfNew are the copies of a topic that is created now: as configured, or else one on each broker, at most three,
// of which two must have a record where there are three.
func (c *Client) copiesOfNew(ctx context.Context) (copies, error) {
	if c.cfg.Embedded {
		return copies{1, 1}, nil
	}
	n := copies{c.cfg.ReplicationFactor, c.cfg.MinInSyncReplicas}
	if n.replicas == 0 {
		brokers, err := c.admin.ListBrokers(ctx)
		if err != nil {
			return copies{}, err
		}
		n.replicas = int16(min(safeReplicas, len(brokers)))
	}
	if n.minInSync == 0 {
		n.minInSync = 1
		if n.replicas >= safeReplicas {
			n.minInSync = 2
		}
	}
	if n.minInSync > n.replicas {
		return copies{}, fmt.Errorf("%d in-sync replicas cannot be asked of topics with %d replicas: "+
			"nothing could be written. Lower --min-insync-replicas, or raise --replication-factor", n.minInSync, n.replicas)
	}
	return n, nil
}

// growTopic adds partitions until the topic has at least that many.
func (c *Client) growTopic(ctx context.Context, topic string, partitions int32) error {
	have, err := c.partitionCount(ctx, topic)
	if err != nil || have >= partitions {
		return err
	}
	resps, err := c.admin.UpdatePartitions(ctx, int(partitions), c.cfg.clusterTopic(topic))
	if err == nil {
		err = resps.Error()
	}
	// InvalidPartitions: another replica may have added them already. Then awaitTopic finds them.
	if err != nil && !errors.Is(err, kerr.InvalidPartitions) {
		return fmt.Errorf("add partitions to %s: %w", c.cfg.clusterTopic(topic), err)
	}
	_, err = c.awaitTopic(ctx, topic, partitions)
	return err
}

// partitionCount is the topic's number of partitions; 0 when it does not exist.
func (c *Client) partitionCount(ctx context.Context, topic string) (int32, error) {
	state, err := c.describeTopic(ctx, topic)
	return state.partitions, err
}

// topicState is what a broker says about a topic; the zero value when the topic does not exist.
type topicState struct {
	partitions int32
	replicas   int  // of the partition with the fewest
	usable     bool // every partition has a leader
}

// describeTopic asks a broker. It does not use the client's cache, which learns of a new topic up to metadataMinAge
// late.
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

// awaitTopic waits until the topic has at least that many partitions and each has a leader, and returns their number.
// Brokers learn of a new topic a moment after it was created.
func (c *Client) awaitTopic(ctx context.Context, topic string, partitions int32) (int32, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	for pause := (backoff.Backoff{First: 2 * time.Millisecond, Longest: retryPause}); ; {
		state, err := c.describeTopic(ctx, topic)
		if err != nil {
			return 0, err
		}
		if state.usable && state.partitions >= partitions {
			return state.partitions, nil
		}
		if pause.Sleep(ctx) != nil {
			return 0, fmt.Errorf("topic %s: not all of its partitions have a leader: %w",
				c.cfg.clusterTopic(topic), ctx.Err())
		}
	}
}
