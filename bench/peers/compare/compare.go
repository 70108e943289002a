// Package compare measures Holdfast and its peers: it starts one after the other with no data, loads it with holdfast
// bench orders, checks what it has kept, and ends it.
package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/bench/peers/report"
	"github.com/holdfast/holdfast/bench/peers/shop"
)

// Config describes a comparison.
type Config struct {
	// Holdfast is the program holdfast, Self this one, which also serves the peers, Redis redis-server.
	Holdfast, Self, Redis string
	// Dir is where all data goes, in a folder of its own that is removed; empty: the system's for temporary files.
	Dir string
	// Systems and Workloads are names; none: all that are there.
	Systems, Workloads []string
	Rounds             int
	Duration, Warmup   time.Duration
	// Kafka is the address of an Apache Kafka of one broker, and KafkaPID its process; empty: there is none.
	Kafka    string
	KafkaPID int
	// Connections are those to PostgreSQL, or batches at once, of peers that shall not have their default.
	Connections map[string]int
	// CheckOnly measures for a moment, to see what each system keeps, and shows how many orders there were and no figures.
	CheckOnly bool
	// Progress gets a line for each cell.
	Progress io.Writer
}

// bench is a comparison that runs.
type bench struct {
	cfg       Config
	systems   []system
	workloads []workload
	dir       string
	cluster   *cluster
	cell      int
	// running is the system that the cell is about.
	running *system
}

// Each system sells out a stock before the first round.
const (
	sellOutOrders = 300
	sellOutStock  = 100
)

// kafkaWarmup is how long Apache Kafka gets orders before the first round: a virtual machine compiles what runs often.
const kafkaWarmup = 10 * time.Second

// Run measures every cell, and returns the table. With an error it has the cells that were measured until then.
func Run(ctx context.Context, cfg Config) (table *report.Table, err error) {
	b, err := newBench(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if b.dir, err = os.MkdirTemp(cfg.Dir, "holdfast-peers-"); err != nil {
		return nil, fmt.Errorf("temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	table = &report.Table{}
	for _, s := range b.systems {
		table.Systems = append(table.Systems, s.System)
	}
	for _, w := range b.workloads {
		table.Workloads = append(table.Workloads, w.Workload)
	}
	if table.Machine, err = describeMachine(b.dir); err != nil {
		return nil, err
	}
	if err := b.startCluster(ctx); err != nil {
		return nil, err
	}
	if b.cluster != nil {
		defer func() { err = errors.Join(err, b.cluster.stop()) }()
	}
	b.announce()
	if err := b.sellOut(ctx); err != nil {
		return nil, err
	}
	table.Cells, err = b.rounds(ctx)
	table.Machine.LoadAfter = loadAverage()
	return table, err
}

// newBench finds the systems and workloads that are asked for.
func newBench(cfg Config) (*bench, error) {
	b := &bench{cfg: cfg}
	if cfg.Rounds < 1 || cfg.Duration <= 0 || cfg.Warmup < 0 {
		return nil, errors.New("rounds and seconds are at least 1")
	}
	var err error
	known := func(s system) string { return s.Name }
	if b.systems, err = choose("system", cfg.Systems, systems(), known); err != nil {
		return nil, err
	}
	b.workloads, err = choose("workload", cfg.Workloads, workloads(), func(w workload) string { return w.Name })
	if err != nil {
		return nil, err
	}
	withoutKafka := func(s system) bool { return s.onKafka && cfg.Kafka == "" }
	if i := slices.IndexFunc(b.systems, withoutKafka); i >= 0 && len(cfg.Systems) > 0 {
		return nil, fmt.Errorf("%s needs --kafka", b.systems[i].Name)
	}
	b.systems = slices.DeleteFunc(b.systems, withoutKafka)
	if slices.ContainsFunc(b.systems, func(s system) bool { return s.onRedis }) {
		if b.cfg.Redis, err = exec.LookPath(cfg.Redis); err != nil {
			return nil, fmt.Errorf("%w: apt-get install redis-server, or leave redis out with --systems", err)
		}
	}
	return b, nil
}

// choose finds names in a list; all of it if there are none.
func choose[T any](what string, names []string, all []T, nameOf func(T) string) (chosen []T, err error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, one := range all {
		known = append(known, nameOf(one))
		if slices.Contains(names, nameOf(one)) {
			chosen = append(chosen, one)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no %s %q; there are %s", what, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// startCluster starts PostgreSQL, if a system needs it.
func (b *bench) startCluster(ctx context.Context) (err error) {
	if slices.ContainsFunc(b.systems, func(s system) bool { return s.onPostgres }) {
		b.cluster, err = startCluster(ctx, b.dir)
	}
	return err
}

// overhead is about how long a cell takes besides its measurement: start, stock, check and end.
const overhead = 2 * time.Second

func (b *bench) announce() {
	cells := len(b.systems) * len(b.workloads) * b.cfg.Rounds
	each := b.cfg.Warmup + b.cfg.Duration + overhead
	total := time.Duration(cells)*each + time.Duration(len(b.systems))*overhead
	fmt.Fprintf(b.cfg.Progress, "systems: %d, workloads: %d, rounds: %d; this takes about %.0f minutes\n",
		len(b.systems), len(b.workloads), b.cfg.Rounds, max(1, total.Minutes()))
}

// sellOut lets each system sell more than there is, with all callers at once: exactly the stock may be sold.
func (b *bench) sellOut(ctx context.Context) error {
	for _, s := range b.systems {
		err := b.with(ctx, &s, func(i *instance) error {
			_, err := b.load(ctx, i.url, nil, "--concurrency", "64",
				"--oversell", strconv.Itoa(sellOutOrders), "--stock", strconv.Itoa(sellOutStock))
			if err == nil && s.onKafka && !b.cfg.CheckOnly {
				_, err = b.load(ctx, i.url, nil, "--duration", kafkaWarmup.String())
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s, %d orders for a stock of %d: %w", s.Name, sellOutOrders, sellOutStock, err)
		}
		fmt.Fprintf(b.cfg.Progress, "%s sells exactly its stock\n", s.Name)
	}
	return nil
}

// rounds measures each system under each workload in turn, so that what the machine does meanwhile meets all of them.
// Each round begins with another system, so that none always comes behind the same.
func (b *bench) rounds(ctx context.Context) (cells []report.Cell, err error) {
	for round := range b.cfg.Rounds {
		for _, w := range b.workloads {
			for k := range b.systems {
				s := b.systems[(k+round)%len(b.systems)]
				cell, err := b.measure(ctx, round+1, &w, &s)
				if err != nil {
					return cells, fmt.Errorf("round %d, %s, %s: %w", round+1, w.Name, s.Name, err)
				}
				cells = append(cells, *cell)
				b.show(cell)
			}
		}
	}
	return cells, nil
}

func (b *bench) show(c *report.Cell) {
	if b.cfg.CheckOnly {
		fmt.Fprintf(b.cfg.Progress, "%-11s  %-20s  %6d orders, checked\n", c.Workload, c.System, c.Orders)
		return
	}
	fmt.Fprintf(b.cfg.Progress, "round %d of %d  %-11s  %-20s  %6.0f orders/s  p50 %6.2f ms  p99 %6.2f ms  "+
		"CPU %.3f ms an order  checked\n",
		c.Round, b.cfg.Rounds, c.Workload, c.System, c.PerSecond, c.P50, c.P99, c.CPUPerOrderMS)
}

// with starts a system in a folder of its own, and ends it.
func (b *bench) with(ctx context.Context, s *system, do func(*instance) error) (err error) {
	dir, err := os.MkdirTemp(b.dir, s.Name+"-")
	if err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.running = s
	b.cell++
	i, err := s.start(ctx, b, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.close()) }()
	return do(i)
}

// topicPrefix is that of a cell on Apache Kafka.
func (b *bench) topicPrefix() string { return fmt.Sprintf("peers-%d-%d.", os.Getpid(), b.cell) }

// loadReport is what is read of the report of holdfast bench orders.
type loadReport struct {
	Orders        int64            `json:"orders"`
	PerSecond     float64          `json:"orders_per_second"`
	P50           float64          `json:"p50_ms"`
	P99           float64          `json:"p99_ms"`
	CPUPerOrderMS float64          `json:"cpu_ms_per_order"`
	Answers       map[string]int64 `json:"answers"`
	Settings      struct {
		KeyPrefix string `json:"key_prefix"`
	} `json:"settings"`
}

// acknowledged are the IDs of the orders that were answered: without errors those are all that were sent, with their
// numbers from 0 on in their keys.
func (r *loadReport) acknowledged() []uuid.UUID {
	ids := make([]uuid.UUID, r.Answers["201"])
	for n := range ids {
		ids[n] = shop.OrderID(fmt.Sprintf("%s-%d", r.Settings.KeyPrefix, n))
	}
	return ids
}

func (b *bench) measure(ctx context.Context, round int, w *workload, s *system) (cell *report.Cell, err error) {
	err = b.with(ctx, s, func(i *instance) error {
		args := append(slices.Clone(w.args), "--duration", b.cfg.Duration.String(), "--warmup", b.cfg.Warmup.String())
		if s.countsUnits {
			args = append(args, "--stock", strconv.Itoa(w.units(b.cfg.Duration+b.cfg.Warmup)))
		}
		r, err := b.load(ctx, i.url, i.pids, args...)
		if err != nil {
			return err
		}
		cell = &report.Cell{
			Round: round, Workload: w.Name, System: s.Name, Orders: r.Orders,
			PerSecond: r.PerSecond, P50: r.P50, P99: r.P99, CPUPerOrderMS: r.CPUPerOrderMS,
		}
		if err := i.check(ctx, r.acknowledged()); err != nil {
			return fmt.Errorf("check after the run: %w", err)
		}
		return nil
	})
	return cell, err
}

// load runs the load generator, which is a process of its own. It fails if an order got another answer than 201.
func (b *bench) load(ctx context.Context, url string, pids []int, args ...string) (*loadReport, error) {
	args = append([]string{"bench", "orders", "--url", url, "--quiet", "-o", "json"}, args...)
	for _, pid := range pids {
		args = append(args, "--cpu-of", strconv.Itoa(pid))
	}
	cmd := exec.CommandContext(ctx, b.cfg.Holdfast, args...)
	complaint := &tail{}
	cmd.Stderr = complaint
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("holdfast bench orders: %w: %s", err, complaint)
	}
	r := &loadReport{}
	if err := json.Unmarshal(output, r); err != nil {
		return nil, fmt.Errorf("holdfast bench orders: %w", err)
	}
	return r, nil
}
