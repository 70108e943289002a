// Command order-api is the write side: it takes commands, decides them, and writes the log.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

const name = "order-api"

func main() { service.Main(name, start) }

func start(ctx context.Context) error {
	var c service.Common
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.Register(fs)
	dataDir := fs.String("data-dir", ".local/order-api", "folder of the shards' checkpoints; they are built again from the log when it is gone")
	peerListen := fs.String("peer-listen", "", "address where other replicas reach this one; empty: there are none")
	peerAdvertise := fs.String("peer-advertise", "", "what other replicas are told to call; empty: the address of peer-listen")
	paymentWindow := fs.Duration("payment-window", command.DefaultPaymentWindow, "how long a prepaid order waits for its payment")
	sessionTimeout := fs.Duration("session-timeout", eventlog.DefaultSessionTimeout, "after how long a replica that is not heard of loses its shards")
	if err := service.Parse(fs, os.Args[1:]); err != nil {
		return err
	}
	log, err := service.Logger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	reg := service.Registry()
	if c.Check {
		return run.Check(ctx, c.Log(name, log, reg))
	}
	return run.OrderAPI(ctx, run.OrderAPIConfig{
		Log: c.Log(name, log, reg), Layout: c.Layout(), DataDir: *dataDir, Listen: c.Listen,
		PeerListen: *peerListen, PeerAdvertise: *peerAdvertise, PaymentWindow: *paymentWindow, SessionTimeout: *sessionTimeout,
		Logger: log, Registry: reg,
		Ready: func(address string) { log.Info("listening", "address", address) },
	})
}
