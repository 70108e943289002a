package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
)

func newLayoutCommand() *cobra.Command {
	root := &cobra.Command{Use: "layout", Short: "Show or change how many shards write the log"}
	root.AddCommand(newLayoutShowCommand(), newLayoutSetCommand())
	return root
}

// layoutShown is the layout as it is.
type layoutShown struct {
	eventlog.Layout
	Shards []shard.Owner `json:"shards"`
	// Plan is a change that somebody is making.
	Plan *eventlog.LayoutPlan `json:"plan,omitempty"`
}

func newLayoutShowCommand() *cobra.Command {
	var log logFlags
	var out output
	c := &cobra.Command{
		Use:   "show",
		Short: "Which shard writes which partitions, and which replica owns it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			shown, err := readLayout(c.Context(), client)
			if err != nil {
				return err
			}
			if out == outputJSON {
				return writeJSON(c.OutOrStdout(), shown)
			}
			return printLayout(c.OutOrStdout(), shown)
		},
	}
	log.add(c)
	out.flag(c.Flags())
	return c
}

func readLayout(ctx context.Context, client *eventlog.Client) (*layoutShown, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	shown := &layoutShown{Layout: layout}
	if shown.Shards, err = shard.Owners(ctx, client, layout); err != nil {
		return nil, err
	}
	inUse, err := client.PlanOf(ctx)
	if inUse != nil && inUse.Plan.From == layout { // otherwise it is made
		shown.Plan = &inUse.Plan
	}
	return shown, err
}

func printLayout(out io.Writer, l *layoutShown) error {
	fmt.Fprintf(out, "Generation %d: %s, %s; new orders %s\n\n", l.Generation,
		plural(int(l.PartitionCount), "partition"), plural(int(l.ShardCount), "shard"), placedWhere(l.Layout))
	t := newTable(out)
	fmt.Fprintln(t, "SHARD\tPARTITIONS\tOWNER\tSINCE\tLAST HEARD OF")
	for i := range l.Shards {
		o := &l.Shards[i]
		owner, since, heard := "nobody in the last hour", "", ""
		if o.Known() {
			owner, since, heard = o.Address, formatTime(o.Since), formatTime(o.AnnouncedAt)
			if owner == "" {
				owner = "a replica without --peer-listen"
			}
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", o.Shard, partitionList(o.Partitions), owner, since, heard)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	if l.Plan != nil {
		fmt.Fprintf(out, "\n%s is changing it to %s.\n", l.Plan.By, plural(int(l.Plan.To.ShardCount), "shard"))
	}
	return nil
}

// placedWhere says by which shard new orders are written.
func placedWhere(l eventlog.Layout) string {
	if l.OrdersWithGoods() {
		return "by the shard of their first SKU"
	}
	return "by the shard of their key (see holdfast layout set --orders)"
}

// partitionList is a list of numbers, such as "0 3 6 9".
func partitionList(partitions []int32) string {
	words := make([]string, len(partitions))
	for i, p := range partitions {
		words[i] = strconv.Itoa(int(p))
	}
	return strings.Join(words, " ")
}

// layoutSetFlags are the settings of a change of the layout.
type layoutSetFlags struct {
	log    logFlags
	shards int32
	orders string
	dryRun bool
	yes    bool
	wait   time.Duration
	out    output
}

func newLayoutSetCommand() *cobra.Command {
	var f layoutSetFlags
	c := &cobra.Command{
		Use:   "set [--shards NUMBER] [--orders with-goods]",
		Short: "Change how many shards write the log, or where orders are written",
		Long: `Change how many shards write the log. Data does not move: the partitions stay
as they are, and only who writes them changes. With more shards, more replicas
of order-api can share the work.

The replicas prepare first, while they serve as before: each builds
checkpoints of the new shards from the log. When all are ready, the new layout
is written to the log, and they take the new shards over. Commands wait for a
moment and are not refused; nothing that was acknowledged is lost.

It may be stopped at any time before the layout counts; then everything is as
it was. After that the replicas go on by themselves, and running it again
waits until they are done. Nobody else can make a change meanwhile.

With --orders with-goods, new orders are written by the shard of their first
SKU, instead of one that their key decides: an order of one line is one
transaction then, however many shards there are. New platforms begin so.
Those of releases before this one go on as they were until somebody says so,
once, after all replicas are upgraded; there is no way back, and no release
before this one may run any more. A retry of an order that was placed before
still finds it.

With --dry-run, what would move is shown, and the exit status is 2 if something
would.`,
		Example: "  holdfast layout set --shards 6 --dry-run\n  holdfast layout set --shards 6\n" +
			"  holdfast layout set --orders with-goods",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.log.add(c)
	flags := c.Flags()
	flags.Int32Var(&f.shards, "shards", 0, "`NUMBER` of shards: at least 1, and at most one for each partition")
	flags.StringVar(&f.orders, "orders", "", "`WHERE` new orders are written: with-goods, by the shard of their first SKU")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would move; the exit status is 2 if something would")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.DurationVar(&f.wait, "wait", time.Hour, "how long the replicas may take to prepare; then nothing is changed")
	f.out.flag(flags)
	c.MarkFlagsOneRequired("shards", "orders")
	return c
}

// ordersWithGoods is the value of --orders.
const ordersWithGoods = "with-goods"

// next is the layout that the flags ask for; the present one where it is that already.
func (f *layoutSetFlags) next(c *cobra.Command, now eventlog.Layout) (eventlog.Layout, error) {
	if !c.Flags().Changed("shards") {
		f.shards = now.ShardCount
	}
	to := now.Next(f.shards)
	switch f.orders {
	case "":
	case ordersWithGoods:
		to = now.NextWithGoods(f.shards)
	default:
		return to, fmt.Errorf("--orders %q: say %s; there is no way back from it", f.orders, ordersWithGoods)
	}
	if err := to.Validate(); err != nil {
		return to, fmt.Errorf("--shards %d: %w", f.shards, err)
	}
	if to.ShardCount == now.ShardCount && to.WithGoodsSince == now.WithGoodsSince {
		return now, nil
	}
	return to, nil
}

func (f *layoutSetFlags) run(c *cobra.Command) error {
	client, err := f.log.open(c)
	if err != nil {
		return err
	}
	defer client.Close()
	now, err := readLayout(c.Context(), client)
	if err != nil {
		return err
	}
	to, err := f.next(c, now.Layout)
	if err != nil {
		return err
	}
	if to == now.Layout {
		return f.finish(c, client, now)
	}
	change := &shard.Change{Client: client,
		Plan: eventlog.LayoutPlan{ID: uuid.New(), From: now.Layout, To: to, By: whoami()}}
	progress := c.ErrOrStderr()
	if f.out != outputJSON {
		progress = c.OutOrStdout()
	}
	if err := printMoves(progress, now, to); err != nil {
		return err
	}
	if f.dryRun {
		return toDoStatus
	}
	if err := confirm(c, f.yes, changeQuestion(now.Layout, to)); err != nil {
		return err
	}
	return f.change(c, change)
}

func changeQuestion(now, to eventlog.Layout) string {
	goods := "place new orders with their goods from now on, for ever"
	switch {
	case to.WithGoodsSince == now.WithGoodsSince:
		return fmt.Sprintf("Change the platform from %s to %d?", plural(int(now.ShardCount), "shard"), to.ShardCount)
	case to.ShardCount == now.ShardCount:
		return "Have the platform " + goods + "?"
	default:
		return fmt.Sprintf("Change the platform from %s to %d, and %s?", plural(int(now.ShardCount), "shard"), to.ShardCount,
			goods)
	}
}

// change makes the change, and says what it did.
func (f *layoutSetFlags) change(c *cobra.Command, change *shard.Change) error {
	shown := partProgress{out: c.ErrOrStderr()}
	change.Observe = func(s shard.ChangeStatus) { shown.show(changeText(s, change.Plan.To)) }
	ctx, cancel := context.WithTimeoutCause(c.Context(), f.wait,
		fmt.Errorf("not all replicas were ready after %s; --wait gives them longer", f.wait))
	defer cancel()
	report, err := change.Run(ctx)
	shown.close()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	case err != nil:
		return err
	case f.out == outputJSON:
		return writeJSON(c.OutOrStdout(), report)
	default:
		return printChange(c.OutOrStdout(), report)
	}
}

// finish waits until the shards of a layout that counts already are served: whoever changed it may be gone.
func (f *layoutSetFlags) finish(c *cobra.Command, client *eventlog.Client, now *layoutShown) error {
	if now.Plan != nil {
		return &eventlog.LayoutInUseError{Plan: *now.Plan}
	}
	replicas, err := client.Replicas(c.Context(), now.Generation)
	if err != nil {
		return err
	}
	if len(replicas) > 0 && !f.dryRun {
		change := &shard.Change{Client: client, Plan: eventlog.LayoutPlan{To: now.Layout}}
		if _, err := change.AwaitOwners(c.Context(), time.Now()); err != nil {
			return err
		}
		if now, err = readLayout(c.Context(), client); err != nil {
			return err
		}
	}
	if f.out == outputJSON {
		return writeJSON(c.OutOrStdout(), now)
	}
	fmt.Fprintf(c.OutOrStdout(), "Nothing to do: it is so already.\n\n")
	return printLayout(c.OutOrStdout(), now)
}

// printMoves prints which shards will write which partitions, and who writes them now.
func printMoves(out io.Writer, now *layoutShown, to eventlog.Layout) error {
	t := newTable(out)
	fmt.Fprintln(t, "SHARD\tPARTITIONS\tWRITTEN NOW BY")
	for s := range to.ShardCount {
		var partitions []int32
		var by []string
		for p := s; p < to.PartitionCount; p += to.ShardCount {
			partitions = append(partitions, p)
			former := &now.Shards[now.ShardOf(p)]
			owner := fmt.Sprintf("shard %d", former.Shard)
			if former.Address != "" {
				owner += " at " + former.Address
			}
			if !slices.Contains(by, owner) {
				by = append(by, owner)
			}
		}
		fmt.Fprintf(t, "%d\t%s\t%s\n", s, partitionList(partitions), strings.Join(by, ", "))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	moved := 0
	for p := range to.PartitionCount {
		if to.ShardOf(p) != now.ShardOf(p) {
			moved++
		}
	}
	_, err := fmt.Fprintf(out, "\n%d of %d partitions get another shard. Data does not move.\n\n",
		moved, to.PartitionCount)
	return err
}

// changeText is one line on how far a change is.
func changeText(s shard.ChangeStatus, to eventlog.Layout) string {
	switch {
	case s.Counts:
		return fmt.Sprintf("the layout has changed: %d of %d shards are served", s.Owned, to.ShardCount)
	case s.LagRecords > 0:
		return fmt.Sprintf("preparing: %d of %d replicas are ready, %s records of the log to go", s.Ready, s.Replicas,
			count(s.LagRecords))
	default:
		return fmt.Sprintf("preparing: %d of %d replicas are ready", s.Ready, s.Replicas)
	}
}

func printChange(out io.Writer, r *shard.ChangeReport) error {
	if r.Replicas == 0 {
		_, err := fmt.Fprintf(out, "Done: %s. No replica of order-api runs; the next one serves them.\n",
			plural(int(r.Layout.ShardCount), "shard"))
		return err
	}
	t := newTable(out)
	fmt.Fprintln(t, "SHARD\tOWNER\tNOT SERVED FOR")
	for _, s := range r.Shards {
		fmt.Fprintf(t, "%d\t%s\t%.0f ms\n", s.Shard, s.Address, s.UnservedMs)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write what was done: %w", err)
	}
	_, err := fmt.Fprintf(out, "\nDone: %s, prepared by %s in %.1f s.\n", plural(int(r.Layout.ShardCount), "shard"),
		plural(r.Replicas, "replica"), float64(r.PreparedMs)/1000)
	return err
}
