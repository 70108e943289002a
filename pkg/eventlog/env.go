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

// envAttempts is how often the environments of other platforms are read: one of their topics may be deleted meanwhile.
const envAttempts = 5

// checkEnvUnused refuses an environment that another platform of the cluster has recorded. It is asked before the
// environment is recorded for the first time.
func (c *Client) checkEnvUnused(ctx context.Context) error {
	cfg := c.cfg
	cfg.TopicPrefix, cfg.Registerer = "", nil // topics have their names in the cluster
	cluster, err := Open(cfg)
	if err != nil {
		return err
	}
	defer cluster.Close()
	for range envAttempts {
		var prefix string
		var used bool
		if prefix, used, err = cluster.findEnv(ctx, c.cfg.Env, c.cfg.TopicPrefix); used {
			return &EnvError{Env: c.cfg.Env, TopicPrefix: c.cfg.TopicPrefix, OtherPrefix: prefix}
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("read the environments of the cluster's other platforms: %w", err)
}

// findEnv looks for a platform with the environment, other than the one of the prefix. It reads all layout topics of
// the cluster at once: they have a few records each.
func (c *Client) findEnv(ctx context.Context, env, except string) (prefix string, found bool, err error) {
	topics, err := c.admin.ListTopics(ctx)
	if err != nil {
		return "", false, err
	}
	var layouts []TopicPartition
	for _, topic := range topics.Names() {
		if prefix, isLayout := strings.CutSuffix(topic, TopicLayout); isLayout && prefix != except {
			layouts = append(layouts, TopicPartition{Topic: topic})
		}
	}
	if len(layouts) == 0 {
		return "", false, nil
	}
	from, err := c.StartOffsets(ctx, layouts)
	if err != nil {
		return "", false, err
	}
	to, err := c.EndOffsets(ctx, layouts)
	if err != nil {
		return "", false, err
	}
	err = c.Read(ctx, from, to, func(r *Record) error {
		var l layoutRecord
		// A record that is no layout is the concern of its own platform.
		if json.Unmarshal(r.Value, &l) == nil && l.Env == env {
			prefix, found = strings.TrimSuffix(r.Topic, TopicLayout), true
		}
		return nil
	})
	return prefix, found, err
}
