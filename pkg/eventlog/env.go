package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// The transactional IDs of a platform's writers begin with its environment. Kafka fences one writer by another only if
// both have the same ID. Two replicas with different environments on the same topics would both write them, and two
// platforms with the same environment on different topics would fence each other for ever. So the layout topic has the
// environment, and both mistakes are refused at start.

// EnvError means that a process was started with an environment that does not belong to its topics.
type EnvError struct {
	// Env and TopicPrefix are those of this process.
	Env, TopicPrefix string
	// OtherEnv is the environment that was recorded for these topics. It is empty when Env belongs to other topics,
	// those with OtherPrefix.
	OtherEnv, OtherPrefix string
}

// Error says what to do.
func (e *EnvError) Error() string {
	if e.OtherEnv != "" {
		return fmt.Sprintf("the platform whose topics begin with %q was created with --env %s, not %s: two environments "+
			"would write the same topics at once. Start with --env %s, or name topics of another platform with "+
			"--topic-prefix", e.TopicPrefix, e.OtherEnv, e.Env, e.OtherEnv)
	}
	return fmt.Sprintf("--env %s belongs to the platform whose topics begin with %q, not %q: platforms with the same "+
		"environment would stop each other's writers. Start with --topic-prefix %q to join that platform, or choose "+
		"another --env for a new one", e.Env, e.OtherPrefix, e.TopicPrefix, e.OtherPrefix)
}

// checkEnv refuses to go on when another environment was recorded. Platforms of before may have none.
func (c *Client) checkEnv(recorded string) error {
	if recorded == "" || recorded == c.cfg.Env {
		return nil
	}
	return &EnvError{Env: c.cfg.Env, TopicPrefix: c.cfg.TopicPrefix, OtherEnv: recorded}
}

// keepLayout keeps the layout of a platform that exists. Where it has no environment yet, the layout is written again
// with that of this process: the first one to start after the upgrade decides.
func (c *Client) keepLayout(ctx context.Context, l Layout, env string) (_ Layout, write bool, err error) {
	if env == "" {
		return l, true, c.checkEnvUnused(ctx)
	}
	return l, false, c.checkEnv(env)
}

// checkEnvUnused refuses an environment that another platform of the cluster has recorded. It is asked before the
// environment is recorded for the first time.
func (c *Client) checkEnvUnused(ctx context.Context) error {
	topics, err := c.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list the topics of the cluster: %w", err)
	}
	cfg := c.cfg
	cfg.TopicPrefix, cfg.Registerer = "", nil // topics have their names in the cluster
	cluster, err := Open(cfg)
	if err != nil {
		return err
	}
	defer cluster.Close()
	for _, topic := range topics.Names() {
		prefix, isLayout := strings.CutSuffix(topic, TopicLayout)
		if !isLayout || prefix == c.cfg.TopicPrefix {
			continue
		}
		used, err := cluster.recordsEnv(ctx, topic, c.cfg.Env)
		if err != nil {
			return err
		}
		if used {
			return &EnvError{Env: c.cfg.Env, TopicPrefix: c.cfg.TopicPrefix, OtherPrefix: prefix}
		}
	}
	return nil
}

// recordsEnv reports whether a layout topic has the environment. A topic that was deleted meanwhile has none.
func (c *Client) recordsEnv(ctx context.Context, topic, env string) (used bool, err error) {
	tps := []TopicPartition{{Topic: topic}}
	from, err := c.StartOffsets(ctx, tps)
	var to Offsets
	if err == nil {
		to, err = c.EndOffsets(ctx, tps)
	}
	if err == nil {
		err = c.Read(ctx, from, to, func(r *Record) error {
			var l layoutRecord
			// A record that is no layout is the concern of its own platform.
			used = used || json.Unmarshal(r.Value, &l) == nil && l.Env == env
			return nil
		})
	}
	if err != nil {
		if partitions, describeErr := c.partitionCount(ctx, topic); describeErr == nil && partitions == 0 {
			return false, nil
		}
		return false, fmt.Errorf("read the environment in %s: %w", topic, err)
	}
	return used, nil
}
