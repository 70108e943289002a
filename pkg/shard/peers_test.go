package shard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// startAt starts a replica with these peer addresses.
func (p *platform) startAt(dir, listen, advertise string) (*shard.Node, error) {
	n, err := shard.StartNode(context.Background(), shard.Config{
		Log: p.log, Want: p.want, DataDir: dir, PeerListen: listen, Advertise: advertise, Decode: rebuild,
		Logger: testLogger(),
	})
	if err == nil {
		p.t.Cleanup(func() { p.stop(n) })
	}
	return n, err
}

func TestAnAddressThatNobodyCanCallIsRefused(t *testing.T) {
	p := newPlatform(t, 1)
	for _, test := range []struct{ listen, advertise, want string }{
		{":0", "", "set --peer-advertise"},
		{"0.0.0.0:0", "", "set --peer-advertise"},
		{"[::]:0", "", "set --peer-advertise"},
		{"127.0.0.1:0", ":9400", "other replicas cannot call :9400"},
		{"127.0.0.1:0", "0.0.0.0:9400", "set --peer-advertise"},
		{"127.0.0.1:0", "order-api-0", `--peer-advertise "order-api-0" is not host:port`},
	} {
		_, err := p.startAt(t.TempDir(), test.listen, test.advertise)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("listen %q, advertise %q: %v, want %s", test.listen, test.advertise, err, test.want)
		}
	}
	if _, err := p.startAt(t.TempDir(), ":0", "localhost:0"); err != nil {
		t.Errorf("port 0 stands for the port that is taken: %v", err)
	}
}

// A replica without a peer address serves its own shards only, and the others say so.
func TestAnOwnerWithoutAnAddressIsNamed(t *testing.T) {
	p := newPlatform(t, 2)
	alone, err := p.startAt(t.TempDir(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return text(alone.Ready()) })
	other := p.start(t.TempDir(), shard.Hooks{})
	const want = "is owned by a replica that runs without --peer-listen"
	eventually(t, func() string {
		if err := other.Ready(); err == nil || !strings.Contains(err.Error(), want) || !other.Owns(0) && !other.Owns(1) {
			return fmt.Sprintf("the other says %v", err)
		}
		return ""
	})
	for i := 0; ; i++ {
		sku := fmt.Sprintf("sku-%d", i)
		if other.Owns(other.ShardOf(sku)) {
			continue
		}
		cmd, err := decode(command.RegisterItem, sku, "reg", []byte(`{"description":"x"}`), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		fut := other.Submit(cmd)
		<-fut.Done()
		if r := fut.Result(); r.Code != problem.Unavailable || !strings.Contains(r.Detail, want) {
			t.Errorf("a command for its shard: %s %s", r.Code, r.Detail)
		}
		return
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
