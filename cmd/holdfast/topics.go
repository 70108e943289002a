package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// toDoStatus ends a dry run that has found something to do.
const toDoStatus = exitStatus(2)

func newTopicsCommand() *cobra.Command {
	root := &cobra.Command{Use: "topics", Short: "Create and check the topics of a platform"}
	root.AddCommand(newTopicsApplyCommand())
	return root
}

// topicsFlags are the settings of topics apply.
type topicsFlags struct {
	log       logFlags
	want      eventlog.Layout
	replicas  int16
	minInSync int16
	dryRun    bool
	out       output
}

func newTopicsApplyCommand() *cobra.Command {
	var f topicsFlags
	c := &cobra.Command{
		Use:   "apply",
		Short: "Create the topics that are missing, and check the others",
		Long: `Create every topic that Holdfast needs and the cluster does not have, and
check those that are there. Services do the same when they start; this is for
clusters where they may not create topics, and to know before.

Partitions and shards count when the platform is created. Later the layout in
the log decides. It may be run again at any time: what is as it should be
stays as it is, and no topic's configuration is ever changed. A topic that
cannot be used, or from which brokers would delete events, is refused with the
command that mends it, and then nothing is created.

With --dry-run, nothing is changed, and the exit status is 2 if there is
something to do.`,
		Example: `  holdfast topics apply --kafka kafka-1:9092 --dry-run
  holdfast topics apply --kafka kafka-1:9092 --partitions 24 --shards 3`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.log.add(c)
	flags := c.Flags()
	flags.Int32Var(&f.want.PartitionCount, "partitions", run.DefaultPartitions,
		"`NUMBER` of partitions of each event topic, when the platform is created; it never changes")
	flags.Int32Var(&f.want.ShardCount, "shards", run.DefaultShards,
		"`NUMBER` of writers, when the platform is created; holdfast layout set changes it")
	flags.Int16Var(&f.replicas, "replication-factor", 0,
		"`NUMBER` of replicas of each topic that is created (default: one for each broker, at most 3)")
	flags.Int16Var(&f.minInSync, "min-insync-replicas", 0,
		"`NUMBER` of replicas of each topic that is created that must have a record before it is acknowledged "+
			"(default: 2 of 3 or more, 1 of fewer)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "change nothing; the exit status is 2 if there is something to do")
	f.out.flag(flags)
	return c
}

func (f *topicsFlags) run(c *cobra.Command) error {
	cfg, err := f.log.config(c)
	if err != nil {
		return err
	}
	cfg.ReplicationFactor, cfg.MinInSyncReplicas = f.replicas, f.minInSync
	client, err := openLog(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	plan, err := client.PlanTopics(c.Context(), f.want)
	if err != nil {
		return err
	}
	applied := plan.Err() == nil && !f.dryRun
	if applied {
		if err := client.ApplyTopics(c.Context(), plan); err != nil {
			return err
		}
	}
	if f.out == outputJSON {
		err = writeJSON(c.OutOrStdout(), plan)
	} else {
		err = printTopics(c.OutOrStdout(), plan, applied)
	}
	switch {
	case err != nil:
		return err
	case plan.Err() != nil && f.out == outputJSON: // the faults are in the answer
		return exitStatus(1)
	case plan.Err() != nil:
		return fmt.Errorf("nothing was changed:\n%w", plan.Err())
	case f.dryRun && plan.ToDo():
		return toDoStatus
	}
	return nil
}

// printTopics prints a plan, or what has become of it.
func printTopics(out io.Writer, plan *eventlog.TopicPlan, applied bool) error {
	t := newTable(out)
	fmt.Fprintln(t, "TOPIC\tPARTITIONS\tREPLICAS\tMIN IN SYNC\tKEPT\tSTATE")
	for i := range plan.Topics {
		topic := &plan.Topics[i]
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", topic.Topic, topic.Partitions, known(topic.ReplicationFactor),
			known(topic.MinInSyncReplicas), kept(topic.Config), topicState(plan, topic, applied))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the topics: %w", err)
	}
	for _, topic := range plan.Topics {
		for _, warning := range topic.Warnings {
			fmt.Fprintf(out, "\nWarning: %s\n", warning)
		}
	}
	layout := fmt.Sprintf("%s and %s", plural(int(plan.Layout.PartitionCount), "partition"),
		plural(int(plan.Layout.ShardCount), "shard"))
	switch {
	case plan.Err() != nil:
	case !plan.ToDo():
		fmt.Fprintf(out, "\nNothing to do: the platform has %s.\n", layout)
	case plan.Exists && applied:
		fmt.Fprintf(out, "\nDone: the platform has %s.\n", layout)
	case applied:
		fmt.Fprintf(out, "\nDone: the platform is created, with %s.\n", layout)
	case plan.Exists:
		fmt.Fprintf(out, "\nNothing was changed: without --dry-run, this is done.\n")
	default:
		fmt.Fprintf(out, "\nNothing was changed: without --dry-run, the platform is created, with %s.\n", layout)
	}
	return nil
}

// topicState is what is to be done, or was done, with a topic.
func topicState(plan *eventlog.TopicPlan, t *eventlog.TopicReport, applied bool) string {
	switch {
	case len(t.Faults) > 0:
		return "REFUSED"
	case t.Action == eventlog.TopicCreate && applied:
		return "created"
	case t.Action == eventlog.TopicCreate:
		return "to create"
	case t.Action == eventlog.TopicGrow:
		state := fmt.Sprintf("to grow to %s", plural(int(plan.Layout.ShardCount), "partition"))
		if applied {
			state = fmt.Sprintf("has %d partitions now", plan.Layout.ShardCount)
		}
		return state
	case len(t.Warnings) > 0:
		return "warning"
	}
	return "ok"
}

// known is a number that the brokers may not tell.
func known(n int) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprint(n)
}

// kept says how long records are kept.
func kept(config map[string]string) string {
	switch ms, bytes := config["retention.ms"], config["retention.bytes"]; {
	case config["cleanup.policy"] == "compact":
		return "newest of each key"
	case config["cleanup.policy"] == "delete" && cmp.Or(bytes, "-1") == "-1" && ms == "-1":
		return "for ever"
	case config["cleanup.policy"] == "delete" && cmp.Or(bytes, "-1") == "-1" && ms == "3600000":
		return "an hour"
	}
	var settings []string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		settings = append(settings, key+"="+config[key])
	}
	return cmp.Or(strings.Join(settings, " "), "unknown")
}
