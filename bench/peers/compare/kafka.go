package compare

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// adminTimeout bounds what is asked of Apache Kafka.
const adminTimeout = 30 * time.Second

// withAdmin asks Apache Kafka something, also when ctx has ended: a cell leaves nothing behind.
func withAdmin(ctx context.Context, brokers string, ask func(context.Context, *kadm.Client) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	return ask(ctx, kadm.NewClient(client))
}

// deleteTopics deletes the topics of a cell from Apache Kafka.
func deleteTopics(ctx context.Context, brokers, prefix string) error {
	return withAdmin(ctx, brokers, func(ctx context.Context, admin *kadm.Client) error {
		all, err := admin.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		var ours []string
		for _, name := range all.Names() {
			if strings.HasPrefix(name, prefix) {
				ours = append(ours, name)
			}
		}
		if len(ours) == 0 {
			return nil
		}
		deleted, err := admin.DeleteTopics(ctx, ours...)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			return fmt.Errorf("delete the topics that begin with %s: %w", prefix, err)
		}
		return nil
	})
}

// setFsync lets all brokers wait for the disk at each write, or not any more.
func setFsync(ctx context.Context, brokers string, on bool) error {
	const name, each = "log.flush.interval.messages", "1"
	change := kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name}
	if on {
		change = kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: kadm.StringPtr(each)}
	}
	return withAdmin(ctx, brokers, func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{change})
		for _, answer := range answers {
			err = errors.Join(err, answer.Err)
		}
		if err != nil {
			return fmt.Errorf("set %s of Kafka: %w", name, err)
		}
		return nil
	})
}
