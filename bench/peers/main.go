// Command peers measures Holdfast against what a shop would use instead: PostgreSQL and Redis. bench/README.md says
// what each peer is, and how to read the table. make bench-peers builds and runs it.
//
//	peers [flags]             measures, and prints the table
//	peers serve PEER [flags]  serves one peer
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/bench/peers/compare"
	"github.com/holdfast/holdfast/bench/peers/postgres"
	"github.com/holdfast/holdfast/bench/peers/redis"
	"github.com/holdfast/holdfast/bench/peers/shop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if args := os.Args[1:]; len(args) > 1 && args[0] == "serve" {
		err = serve(ctx, args[1], args[2:])
	} else {
		err = run(ctx, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers: "+err.Error())
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

// defaultConnections are those with which each peer was fastest on two cores; of peers that gather orders, how many
// batches there are at once.
var defaultConnections = map[string]int{"function": 16, "units": 16, "batch": 2, "redis": 2}

// serve serves one peer until it is stopped.
func serve(ctx context.Context, peer string, args []string) error {
	flags := flag.NewFlagSet("serve "+peer, flag.ExitOnError)
	database := flags.String("database", "", "how to reach PostgreSQL, or Redis' socket")
	listen := flags.String("listen", "127.0.0.1:0", "where to serve")
	connections := flags.Int("connections", defaultConnections[peer], "how many connections, or batches at once")
	_ = flags.Parse(args) // it exits with an error
	tune()
	store, err := open(ctx, peer, *database, *connections)
	if err != nil {
		return err
	}
	defer store.Close()
	return shop.Serve(ctx, store, *listen, func(url string) { fmt.Println("serving " + url) })
}

// tune sets the garbage collector and the scheduler as Holdfast sets its own for a small heap (pkg/service/tune.go).
func tune() {
	debug.SetGCPercent(400)
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
}

func open(ctx context.Context, peer, database string, connections int) (shop.Store, error) {
	switch peer {
	case "function":
		return postgres.NewFunction(ctx, database, connections)
	case "units":
		return postgres.NewUnits(ctx, database, connections)
	case "batch":
		return postgres.NewBatch(ctx, database, connections)
	case "redis":
		return redis.Connect(ctx, database, connections)
	}
	return nil, fmt.Errorf("there is no peer %q; there are function, units, batch and redis", peer)
}

// checkFor is how long orders are placed to see what a system keeps.
const checkFor = 500 * time.Millisecond

// run measures, and prints the table.
func run(ctx context.Context, args []string) error {
	cfg := compare.Config{Progress: os.Stderr}
	flags := flag.NewFlagSet("peers", flag.ExitOnError)
	flags.StringVar(&cfg.Holdfast, "holdfast", "bin/holdfast", "the program holdfast")
	flags.StringVar(&cfg.Redis, "redis", "redis-server", "the program redis-server")
	flags.StringVar(&cfg.Dir, "dir", "", "where data goes, in a folder that is removed (default: that of temporary files)")
	flags.IntVar(&cfg.Rounds, "rounds", 3, "how many rounds")
	seconds := flags.Float64("seconds", 3, "how long each system is measured in each round and workload")
	warmup := flags.Float64("warmup", 1, "for how many seconds orders are placed before that")
	systems := flags.String("systems", "", "names of systems, comma-separated (default: all)")
	workloads := flags.String("workloads", "", "names of workloads, comma-separated (default: all)")
	flags.StringVar(&cfg.Kafka, "kafka", "", "address of an Apache Kafka of one broker, for holdfast-kafka")
	flags.IntVar(&cfg.KafkaPID, "kafka-pid", 0, "number of its process")
	connections := flags.String("connections", "", "other numbers of connections, as function=8,batch=1")
	flags.BoolVar(&cfg.CheckOnly, "check", false, "only see what each system keeps, in one short round, without figures")
	asJSON := flags.Bool("json", false, "print all cells as JSON instead of the table")
	_ = flags.Parse(args) // it exits with an error
	cfg.Duration, cfg.Warmup = duration(*seconds), duration(*warmup)
	cfg.Systems, cfg.Workloads = names(*systems), names(*workloads)
	var err error
	if cfg.Connections, err = numbers(*connections); err != nil {
		return err
	}
	if cfg.Self, err = os.Executable(); err != nil {
		return err
	}
	if cfg.Holdfast, err = exec.LookPath(cfg.Holdfast); err != nil {
		return fmt.Errorf("--holdfast: %w; make build makes it", err)
	}
	if cfg.CheckOnly {
		cfg.Rounds, cfg.Duration, cfg.Warmup = 1, checkFor, 0
	}
	table, err := compare.Run(ctx, cfg)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if table == nil || cfg.CheckOnly || len(table.Cells) == 0 {
		return err
	}
	if *asJSON {
		return errors.Join(err, writeJSON(os.Stdout, table))
	}
	return errors.Join(err, table.Write(os.Stdout))
}

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// names are those of a list with commas.
func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// numbers reads a list of names with numbers.
func numbers(list string) (map[string]int, error) {
	all := map[string]int{}
	for _, pair := range names(list) {
		name, text, _ := strings.Cut(pair, "=")
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil || n < 1 {
			return nil, fmt.Errorf("--connections: %q is not a name with a number, such as function=8", pair)
		}
		all[name] = n
	}
	return all, nil
}
