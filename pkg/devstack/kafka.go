// Package devstack runs a Kafka broker inside this process, for development and tests. Clients use it as they use
// Apache Kafka. It is not for production: it does not replicate, and it does not wait for the disk.
//
// kafka.go starts and stops the broker (kfake, from franz-go). recovery.go repairs the log after the process was
// killed, and segments.go reads the broker's files for that. The embedded ClickHouse is package chdb.
//
// Only cmd/holdfast and tests import this package, so that the services do not link a broker.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/holdfast/holdfast/pkg/lockfile"
)

// DefaultKafkaListen lets the operating system choose a free port.
const DefaultKafkaListen = "127.0.0.1:0"

// KafkaOptions configure the embedded broker.
type KafkaOptions struct {
	// Dir keeps the log between runs. One process at a time may use it. Empty: the log is in memory.
	Dir string
	// Listen is the host:port to listen on. Default: DefaultKafkaListen.
	Listen string
	// Logger gets the broker's warnings and errors. Default: none.
	Logger *slog.Logger
}

// Kafka is a single broker in this process. A commit that it has acknowledged may be lost: when the machine crashes,
// because the broker does not wait for the disk; and when the process is killed, because the last transaction may then
// be in some partitions and not in others.
type Kafka struct {
	cluster   *kfake.Cluster
	addrs     []string
	closeOnce sync.Once
	unlock    func()
	// markClean tells the next start that this process closed the broker in order.
	markClean func()
}

// StartKafka starts the broker. It never creates topics on demand. No topic may have cleanup.policy=compact, because
// this broker loses committed records when it compacts.
func StartKafka(ctx context.Context, o KafkaOptions) (*Kafka, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Listen == "" {
		o.Listen = DefaultKafkaListen
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return nil, fmt.Errorf("embedded kafka: listen address %q is not host:port: %w", o.Listen, err)
	}
	unlock := func() {}
	if o.Dir != "" {
		var err error
		// Two brokers over one directory would destroy its log.
		if unlock, err = lockfile.AcquireDir(ctx, o.Dir, 0); err != nil {
			return nil, fmt.Errorf("embedded kafka: %w", err)
		}
	}
	k, err := startLocked(ctx, o)
	if err != nil {
		unlock()
		return nil, err
	}
	k.unlock = unlock
	return k, nil
}

// startLocked starts the broker over a directory that this process has locked.
func startLocked(ctx context.Context, o KafkaOptions) (*Kafka, error) {
	clean, err := consumeCleanMarker(o.Dir)
	if err != nil {
		return nil, err
	}
	cluster, err := newCluster(o)
	if err != nil {
		return nil, err
	}
	k := &Kafka{cluster: cluster, addrs: cluster.ListenAddrs()}
	if !clean {
		if err := abortOpenTransactions(ctx, o.Dir, k.addrs); err != nil {
			cluster.Close()
			return nil, err
		}
	}
	k.markClean = func() {
		if err := writeCleanMarker(o.Dir); err != nil {
			o.Logger.Warn("the next start will treat this end as a crash", "error", err)
		}
	}
	return k, nil
}

func newCluster(o KafkaOptions) (*kfake.Cluster, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.WithLogger(kafkaLogger{o.Logger}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, o.Listen) }),
	}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("embedded kafka: %s is in use: %w", o.Listen, err)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	return cluster, nil
}

// Addrs are the broker's addresses. Clients use them as seeds.
func (k *Kafka) Addrs() []string { return k.addrs }

// Close stops the broker and writes what it keeps to its data directory.
func (k *Kafka) Close() {
	k.closeOnce.Do(func() {
		k.cluster.Close()
		k.markClean()
		k.unlock()
	})
}

// kafkaLogger passes the broker's warnings and errors to slog.
type kafkaLogger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l kafkaLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded kafka: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded kafka: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelNone, kfake.LogLevelInfo, kfake.LogLevelDebug:
	}
}
