// Package devstack runs what production has as servers inside this process, for development and tests:
// a Kafka broker. Its clients are the same as in production. It is not for production use.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// DefaultKafkaListen lets the system choose a port that is free.
const DefaultKafkaListen = "127.0.0.1:0"

// KafkaOptions configure the embedded broker.
type KafkaOptions struct {
	// Dir keeps the log between runs. Empty: in memory. One process at a time may use it.
	Dir string
	// Listen is a host:port. Default DefaultKafkaListen.
	Listen string
	// Logger gets warnings and errors. Default: none.
	Logger *slog.Logger
}

// Kafka is a single broker in this process. It commits what it is told to, but does not replicate, and does not
// wait for the disk: after a crash of the machine, and for the last transaction after a kill of the process,
// less may be there than was answered.
type Kafka struct {
	cluster *kfake.Cluster
	addrs   []string
	closing sync.Once
	unlock  func()
	// markClean tells the next process that this one ended in order.
	markClean func()
}

// StartKafka starts the broker. Topics are never created by themselves, and must never be compacted
// (cleanup.policy=compact): this broker loses committed records when it does.
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
	unlock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	clean, err := takeClean(o.Dir)
	if err != nil {
		unlock()
		return nil, err
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.WithLogger(kafkaLogger{o.Logger}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, o.Listen) }),
	}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		unlock()
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("embedded kafka: another program listens on %s already; stop it or choose another address: %w", o.Listen, err)
		}
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	k := &Kafka{cluster: cluster, addrs: cluster.ListenAddrs(), unlock: unlock}
	if !clean {
		if err := closeTails(ctx, o.Dir, k.addrs); err != nil {
			cluster.Close()
			unlock()
			return nil, err
		}
	}
	k.markClean = func() {
		if o.Dir == "" {
			return
		}
		if err := os.WriteFile(cleanFile(o.Dir), nil, 0o644); err != nil {
			o.Logger.Warn("the next start will take this end for a crash", "error", err)
		}
	}
	return k, nil
}

// Addrs are the broker's addresses, to be used as seeds.
func (k *Kafka) Addrs() []string { return k.addrs }

// Close stops the broker and writes what it keeps.
func (k *Kafka) Close() {
	k.closing.Do(func() {
		k.cluster.Close()
		k.markClean()
		k.unlock()
	})
}

// kafkaLogger hands the broker's warnings and errors to slog.
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
