package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/bench/peers/postgres"
	"github.com/holdfast/holdfast/bench/peers/redis"
	"github.com/holdfast/holdfast/bench/peers/report"
)

// system is one of those that are compared.
type system struct {
	report.System
	// start starts it with no data. It must be closed, whatever becomes of it.
	start func(ctx context.Context, b *bench, dir string) (*instance, error)
	// onKafka and onPostgres are whether it needs Apache Kafka or PostgreSQL.
	onKafka, onPostgres, onRedis bool
	// countsUnits is whether it has a row for each unit, so that it needs to know how many there will be.
	countsUnits bool
}

// instance is a system that runs.
type instance struct {
	url string
	// pids are its processes; what is below them is its, too.
	pids []int
	// check reads its data after a run, in which these orders were acknowledged.
	check func(ctx context.Context, acknowledged []uuid.UUID) error
	close func() error
}

// What a system promises with its answer; bench/README.md says what that means.
const (
	devCache  = "page cache, or not"
	pageCache = "page cache"
	withFsync = "fsync"
	soonFsync = "fsync 0.6 s later"
	everysec  = "fsync 2 s later"
)

// Names of systems.
const (
	embedded     = "holdfast"
	onKafka      = "holdfast-kafka"
	onKafkaFsync = "holdfast-kafka-fsync"
	redisName    = "redis"
	redisAlways  = "redis-always"
)

func systems() []system {
	all := []system{
		{System: report.System{Name: embedded, Durable: devCache, Ours: true}, start: startHoldfast},
		{System: report.System{Name: onKafka, Durable: pageCache, Ours: true}, start: startOnKafka, onKafka: true},
		{System: report.System{Name: onKafkaFsync, Durable: withFsync, Ours: true}, start: startOnSyncedKafka, onKafka: true},
	}
	for _, peer := range []string{"function", "units", "batch"} {
		for _, commit := range []struct{ setting, suffix, durable string }{
			{"on", "", withFsync}, {"off", "-async", soonFsync},
		} {
			all = append(all, system{
				System: report.System{Name: peer + commit.suffix, Durable: commit.durable},
				start:  startPostgres(peer, commit.setting), onPostgres: true, countsUnits: peer == "units",
			})
		}
	}
	return append(all,
		system{System: report.System{Name: redisName, Durable: everysec}, start: startRedis("everysec"), onRedis: true},
		system{System: report.System{Name: redisAlways, Durable: withFsync}, start: startRedis("always"), onRedis: true})
}

var (
	apiAddress   = regexp.MustCompile(`^\s*API\s+(http://\S+)`)
	kafkaAddress = regexp.MustCompile(`^\s*Kafka\s+(\S+)`)
	peerAddress  = regexp.MustCompile(`^serving (http://\S+)`)
)

// startHoldfast starts all services in one process of their own, without ClickHouse: no peer has reports.
func startHoldfast(ctx context.Context, b *bench, dir string) (*instance, error) {
	args := []string{
		"dev", "--dir", filepath.Join(dir, "holdfast"), "--listen", "127.0.0.1:0", "--admin-listen", "off",
		"--kafka-listen", "127.0.0.1:0", "--clickhouse", "off", "--shards", "1",
	}
	var log []string
	if b.running.onKafka {
		prefix := b.topicPrefix()
		log = []string{"--env", strings.TrimSuffix(prefix, "."), "--topic-prefix", prefix}
		args = append(append(args, "--kafka", b.cfg.Kafka), log...)
	}
	p, found, err := startServer(ctx, "holdfast", exec.Command(b.cfg.Holdfast, args...), apiAddress, kafkaAddress)
	if err != nil {
		return nil, err
	}
	i := &instance{url: found[0], pids: []int{p.pid()}}
	i.close = func() error { return p.stop(syscall.SIGTERM) }
	if b.running.onKafka {
		i.pids = append(i.pids, b.cfg.KafkaPID)
		i.close = func() error {
			return errors.Join(p.stop(syscall.SIGTERM), deleteTopics(ctx, b.cfg.Kafka, b.topicPrefix()))
		}
	}
	i.check = func(ctx context.Context, acknowledged []uuid.UUID) error {
		return b.verify(ctx, append(log, "--kafka", found[1]), len(acknowledged))
	}
	return i, nil
}

// startOnKafka starts Holdfast on Apache Kafka as it is, also where a comparison that was killed has left it otherwise.
func startOnKafka(ctx context.Context, b *bench, dir string) (*instance, error) {
	if err := setFsync(ctx, b.cfg.Kafka, false); err != nil {
		return nil, err
	}
	return startHoldfast(ctx, b, dir)
}

// startOnSyncedKafka starts Holdfast while Apache Kafka waits for the disk at each record batch, as PostgreSQL does.
func startOnSyncedKafka(ctx context.Context, b *bench, dir string) (*instance, error) {
	if err := setFsync(ctx, b.cfg.Kafka, true); err != nil {
		return nil, err
	}
	i, err := startHoldfast(ctx, b, dir)
	if err != nil {
		return nil, errors.Join(err, setFsync(ctx, b.cfg.Kafka, false))
	}
	end := i.close
	i.close = func() error { return errors.Join(end(), setFsync(ctx, b.cfg.Kafka, false)) }
	return i, nil
}

// verify lets holdfast check its whole log. The log is new, each acknowledged order had a key of its own, and verify
// finds no key twice: with as many orders as were acknowledged, all of these are there.
func (b *bench) verify(ctx context.Context, log []string, acknowledged int) error {
	cmd := exec.CommandContext(ctx, b.cfg.Holdfast, append([]string{"verify", "-o", "json"}, log...)...)
	output, err := cmd.Output()
	var found struct {
		Orders     int `json:"orders"`
		Invariants []struct {
			Name       string   `json:"name"`
			Violations int      `json:"violations"`
			Examples   []string `json:"examples"`
		} `json:"invariants"`
	}
	if jsonErr := json.Unmarshal(output, &found); jsonErr != nil {
		return fmt.Errorf("holdfast verify: %w", errors.Join(err, jsonErr))
	}
	for _, inv := range found.Invariants {
		if inv.Violations > 0 {
			return fmt.Errorf("holdfast verify: %s: %d violations: %q", inv.Name, inv.Violations, inv.Examples)
		}
	}
	if found.Orders != acknowledged {
		return fmt.Errorf("%d orders were acknowledged, and the log has %d", acknowledged, found.Orders)
	}
	return err
}

// startPeer starts the server of a peer, which is this program.
func startPeer(ctx context.Context, b *bench, name string, args ...string) (*process, string, error) {
	cmd := exec.Command(b.cfg.Self, append([]string{"serve", name}, args...)...)
	p, found, err := startServer(ctx, name, cmd, peerAddress)
	if err != nil {
		return nil, "", err
	}
	return p, found[0], nil
}

// session has the settings of each connection of a peer. A plan for any arguments is as good as one for those of a
// call: PostgreSQL would think the second cheaper where it knows how many units are asked for, and plan at each call.
const session = " plan_cache_mode=force_generic_plan"

// startPostgres starts a PostgreSQL peer on a database of its own. PostgreSQL itself goes on running: a new one would
// have to fill the files of its log first.
func startPostgres(name, synchronousCommit string) func(context.Context, *bench, string) (*instance, error) {
	return func(ctx context.Context, b *bench, _ string) (*instance, error) {
		database, err := b.cluster.create(ctx)
		if err != nil {
			return nil, err
		}
		drop := func() error { return b.cluster.drop(ctx, database) }
		dsn := b.cluster.dsn(database)
		if err := postgres.Create(ctx, dsn); err != nil {
			return nil, errors.Join(err, drop())
		}
		args := []string{"--database", dsn + session + " synchronous_commit=" + synchronousCommit}
		if connections := b.cfg.Connections[name]; connections > 0 {
			args = append(args, "--connections", strconv.Itoa(connections))
		}
		p, url, err := startPeer(ctx, b, name, args...)
		if err != nil {
			return nil, errors.Join(err, drop())
		}
		return &instance{
			url: url, pids: []int{p.pid(), b.cluster.process.pid()},
			check: func(ctx context.Context, acknowledged []uuid.UUID) error {
				return postgres.Check(ctx, dsn, acknowledged)
			},
			close: func() error { return errors.Join(p.stop(syscall.SIGTERM), drop()) },
		}, nil
	}
}

// redisSettings: the append-only file is not written anew during the few seconds of a run.
var redisSettings = []string{
	"--port", "0", "--save", "", "--appendonly", "yes",
	"--auto-aof-rewrite-min-size", "16gb", "--loglevel", "warning",
}

// startRedisServer starts Redis in a folder, and returns its socket. appendfsync says when it waits for the disk.
func startRedisServer(ctx context.Context, program, dir, appendfsync string) (*process, string, error) {
	socket := filepath.Join(dir, "redis")
	args := slices.Concat(redisSettings, []string{"--appendfsync", appendfsync, "--dir", dir, "--unixsocket", socket})
	server := exec.Command(program, args...) //nolint:gosec // the program that the user names
	p, err := startProcess(ctx, "redis-server", server)
	if err != nil {
		return nil, "", err
	}
	for end := time.Now().Add(startTimeout); ; time.Sleep(readyPause) {
		if _, err := os.Stat(socket); err == nil {
			return p, socket, nil
		}
		select {
		case <-p.ended:
			return nil, "", p.failed()
		default:
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, "", errors.Join(errors.New("redis-server does not serve"), p.stop(syscall.SIGKILL))
		}
	}
}

func startRedis(appendfsync string) func(context.Context, *bench, string) (*instance, error) {
	return func(ctx context.Context, b *bench, dir string) (*instance, error) {
		database, socket, err := startRedisServer(ctx, b.cfg.Redis, dir, appendfsync)
		if err != nil {
			return nil, err
		}
		stop := func() error { return database.stop(syscall.SIGKILL) } // its data is thrown away
		p, url, err := startPeer(ctx, b, redisName, "--database", socket)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		return &instance{
			url: url, pids: []int{p.pid(), database.pid()},
			check: func(ctx context.Context, acknowledged []uuid.UUID) error {
				return redis.Check(ctx, socket, acknowledged)
			},
			close: func() error { return errors.Join(p.stop(syscall.SIGTERM), stop()) },
		}, nil
	}
}
