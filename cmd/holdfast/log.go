package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inspect"
)

// shownBytes of a record's value are shown.
const shownBytes = 256

func newLogCommand() *cobra.Command {
	var log logFlags
	root := &cobra.Command{
		Use:   "log",
		Short: "Back the log up, restore it, see records at which readers stop",
		Long: `A record in an event topic that is no event, or that does not follow the one
before it, stops every reader: shards, views and checks. Something else than
Holdfast has written it. See what it is with inspect. If it must not count, let
all readers pass it with quarantine; the decision is kept in the log, too.

export writes the whole log into an archive, import makes a platform from it.`,
	}
	log.add(root)
	root.AddCommand(newLogInspect(&log), newLogQuarantine(&log), newLogExportCommand(&log),
		newLogImportCommand(&log))
	return root
}

// placeFlags name a record.
type placeFlags struct {
	topic     string
	partition int32
	offset    int64
}

func (f *placeFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.topic, "topic", "",
		"`TOPIC`, without the prefix: "+eventlog.TopicOrders+" or "+eventlog.TopicInventory)
	flags.Int32Var(&f.partition, "partition", 0, "`NUMBER` of the partition")
	flags.Int64Var(&f.offset, "offset", 0, "`OFFSET` of the record")
	c.MarkFlagsRequiredTogether("topic", "partition", "offset")
}

func (f *placeFlags) topicPartition(ctx context.Context, client *eventlog.Client) (eventlog.TopicPartition, error) {
	tp := eventlog.TopicPartition{Topic: f.topic, Partition: f.partition}
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return tp, err
	}
	if !slices.Contains(layout.AllPartitions(), tp) || f.offset < 0 {
		return tp, fmt.Errorf("%s/%d@%d is no place of the event log: its topics are %s and %s, with the partitions 0 to %d",
			f.topic, f.partition, f.offset, eventlog.TopicOrders, eventlog.TopicInventory, layout.PartitionCount-1)
	}
	return tp, nil
}

func newLogInspect(log *logFlags) *cobra.Command {
	var place placeFlags
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Show a record, or list all at which readers stop",
		Long: `Show the record at a place of the event log: who may have written it, what is
in it, and why readers stop there. Without a place, read the whole log and
list every record at which readers stop, and those that are quarantined.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			if place.topic == "" {
				return listStops(c.Context(), c.OutOrStdout(), client)
			}
			tp, err := place.topicPartition(c.Context(), client)
			if err != nil {
				return err
			}
			raw, finding, err := lookAt(c.Context(), client, tp, place.offset)
			if err != nil {
				return err
			}
			return showRecord(c.OutOrStdout(), raw, finding)
		},
	}
	place.add(c)
	return c
}

// lookAt reads a record, and its partition, to see whether readers stop there.
func lookAt(
	ctx context.Context, client *eventlog.Client, tp eventlog.TopicPartition, offset int64,
) (*eventlog.RawRecord, *inspect.Finding, error) {
	raw, err := client.RawRecord(ctx, tp, offset)
	if err != nil {
		return nil, nil, err
	}
	findings, err := inspect.Scan(ctx, client, []eventlog.TopicPartition{tp})
	if err != nil {
		return nil, nil, err
	}
	for _, f := range findings {
		if f.Offset == offset {
			return raw, f, nil
		}
	}
	return raw, nil, nil
}

// listStops lists the records at which readers stop, and those that they pass.
func listStops(ctx context.Context, out io.Writer, client *eventlog.Client) error {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return err
	}
	findings, err := inspect.Scan(ctx, client, layout.AllPartitions())
	if err != nil {
		return err
	}
	slices.SortFunc(findings, func(a, b *inspect.Finding) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	if len(findings) == 0 {
		fmt.Fprintln(out, "Readers stop at no record.")
	} else {
		fmt.Fprintf(out, "Readers stop at %s:\n\n", plural(len(findings), "record"))
	}
	t := newTable(out)
	for i, f := range findings {
		if i == 0 {
			fmt.Fprintln(t, "TOPIC\tPARTITION\tOFFSET\tTIME\tBYTES\tPROBLEM")
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%d\t%v\n", f.Topic, f.Partition, f.Offset, formatTime(f.At), f.Bytes, f.Problem)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	decisions, err := client.Quarantines(ctx)
	if err != nil || len(decisions) == 0 {
		return err
	}
	fmt.Fprintf(out, "\nReaders pass %s:\n\n", plural(len(decisions), "quarantined record"))
	fmt.Fprintln(t, "TOPIC\tPARTITION\tOFFSET\tSINCE\tBY\tREASON")
	for _, q := range decisions {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\n", q.Topic, q.Partition, q.Offset, formatTime(q.At), q.By, q.Reason)
	}
	return t.Flush()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(int64(n)) + " " + noun + "s"
}

// showRecord prints a record for a person.
func showRecord(out io.Writer, raw *eventlog.RawRecord, finding *inspect.Finding) error {
	writer := "in no transaction: not by a shard's owner"
	if raw.Transactional {
		writer = "in a transaction"
	}
	fmt.Fprintf(out, "%s partition %d offset %d\n\n", raw.Topic, raw.Partition, raw.Offset)
	fmt.Fprintf(out, "time      %s\n", time.UnixMicro(raw.TimestampMicros).UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(out, "written   by producer %d, epoch %d, %s\n", raw.ProducerID, raw.ProducerEpoch, writer)
	fmt.Fprintf(out, "state     %s\n", raw.State)
	fmt.Fprintf(out, "key       %s\n", printable(raw.Key))
	for i, h := range raw.Headers {
		label := "headers   "
		if i > 0 {
			label = "          "
		}
		fmt.Fprintf(out, "%s%s: %s\n", label, h.Key, printable(h.Value))
	}
	if len(raw.Headers) == 0 {
		fmt.Fprintln(out, "headers   none; every event has six")
	}
	fmt.Fprintf(out, "sha256    %s\n", raw.Hash())
	fmt.Fprintf(out, "value     %s bytes\n", count(int64(len(raw.Value))))
	if shown := raw.Value[:min(len(raw.Value), shownBytes)]; len(shown) > 0 {
		fmt.Fprint(out, hex.Dump(shown))
	}
	fmt.Fprintln(out)
	why := inspect.MayQuarantine(raw, finding)
	if finding != nil {
		fmt.Fprintf(out, "Every reader stops here: %v.\n", finding.Problem)
	}
	if why != nil {
		_, err := fmt.Fprintf(out, "It cannot be quarantined: %v.\n", why)
		return err
	}
	_, err := fmt.Fprintf(out, "If Holdfast did not write it, and it must not count:\n"+
		"  holdfast log quarantine --topic %s --partition %d --offset %d \\\n"+
		"    --reason \"what it is, and where it came from\"\n",
		raw.Topic, raw.Partition, raw.Offset)
	return err
}

// printable is text as it is, and anything else in hexadecimal.
func printable(b []byte) string {
	if len(b) == 0 {
		return "none"
	}
	if len(b) > shownBytes {
		return fmt.Sprintf("%q … (%s bytes)", b[:shownBytes], count(int64(len(b))))
	}
	if utf8.Valid(b) {
		return fmt.Sprintf("%q", b)
	}
	return hex.EncodeToString(b)
}

func newLogQuarantine(log *logFlags) *cobra.Command {
	var place placeFlags
	var reason, by string
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Let all readers pass a record that Holdfast did not write",
		Long: `Decide that a record of the event log does not count. All readers pass it from
then on: shards and views that have stopped there go on within seconds. The
record stays in the log, and the decision is written to the topic
` + eventlog.TopicQuarantine + `, with who, when and why. It cannot be taken back.

A record that readers can read is refused, and so is one that later events
build on.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return errors.New("--reason must say what the record is, and where it came from")
			}
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			tp, err := place.topicPartition(c.Context(), client)
			if err != nil {
				return err
			}
			return quarantine(c.Context(), c.OutOrStdout(), client, tp, place.offset, reason, by)
		},
	}
	place.add(c)
	c.Flags().StringVar(&reason, "reason", "", "`TEXT`: what the record is, and where it came from")
	c.Flags().StringVar(&by, "by", "", "`NAME` of who decides (default: user and host)")
	for _, flag := range []string{"topic", "partition", "offset", "reason"} {
		_ = c.MarkFlagRequired(flag) // it exists
	}
	return c
}

// quarantine writes the decision, if the record may be quarantined.
func quarantine(
	ctx context.Context, out io.Writer, client *eventlog.Client, tp eventlog.TopicPartition, offset int64,
	reason, by string,
) error {
	raw, finding, err := lookAt(ctx, client, tp, offset)
	if err != nil {
		return err
	}
	if err := inspect.MayQuarantine(raw, finding); err != nil {
		return fmt.Errorf("%s partition %d offset %d is not quarantined: %w", tp.Topic, tp.Partition, offset, err)
	}
	err = client.Quarantine(ctx, eventlog.Quarantine{
		Topic: tp.Topic, Partition: tp.Partition, Offset: offset, SHA256: raw.Hash(),
		Reason: reason, By: cmp.Or(by, whoami()), At: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s partition %d offset %d is quarantined: readers pass it from now on.\n"+
		"What had stopped there goes on within seconds; check it with `holdfast verify`.\n", tp.Topic, tp.Partition, offset)
	if finding.Decodes() {
		fmt.Fprintln(out, "ClickHouse may have rows of it: `holdfast mirror rebuild` makes it anew without them.")
	}
	return nil
}

// whoami is the user of this process.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
