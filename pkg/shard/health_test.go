package shard_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
)

// onCluster is a platform on a broker that the test disturbs.
func onCluster(t *testing.T, shards int32) (*platform, *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &platform{
		t: t, log: eventlog.Config{Seeds: cluster.ListenAddrs(), Embedded: true, Logger: testLogger()},
		want: eventlog.Layout{PartitionCount: 4, ShardCount: shards}, standby: standbyEvery,
	}, cluster
}

func awaitNotReady(t *testing.T, n *shard.Node, says string) (err error) {
	t.Helper()
	eventually(t, func() string {
		if err = n.Ready(); err == nil || !strings.Contains(err.Error(), says) {
			return "it does not say " + says + ", but: " + text(err)
		}
		return ""
	})
	return err
}

// A commit that hangs is told after five seconds, for its shard alone.
func TestAReplicaWhoseCommitHangsIsNotReady(t *testing.T) {
	t.Parallel()
	p, cluster := onCluster(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string { return text(n.Ready()) })
	stock(t, n, "A", 1)
	eventually(t, func() string { // on a busy machine the broker may look silent for a moment
		s := n.Shards()
		if len(s) != 1 || !s[0].Served || s[0].Owner != "self" || s[0].LastCommitAgeMs > waitLimit.Milliseconds() {
			return fmt.Sprintf("the shard is %+v", s)
		}
		return ""
	})
	release := make(chan struct{})
	var hanging atomic.Bool
	hanging.Store(true)
	cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		if hanging.Load() {
			cluster.KeepControl()
			cluster.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	cmd, err := decode(command.ReceiveStock, "A", "k", []byte(`{"location":"main","quantity":1}`), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	n.Submit(cmd)
	err = awaitNotReady(t, n, "its commit has been under way")
	var unserved *shard.UnservedError
	if !errors.As(err, &unserved) || unserved.Shard != 0 {
		t.Errorf("the error is %v", err)
	}
	hanging.Store(false)
	close(release)
	eventually(t, func() string { return text(n.Ready()) })
}

// An idle replica writes nothing for a minute. It says all the same that no broker is there.
func TestAReplicaWithoutBrokersIsNotReady(t *testing.T) {
	t.Parallel()
	p, cluster := onCluster(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string { return text(n.Ready()) })
	cluster.Close()
	awaitNotReady(t, n, "no Kafka broker has answered")
}
