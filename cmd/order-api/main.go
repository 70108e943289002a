// Command order-api is the write side: it takes commands, decides them, and writes the log.
package main

import (
	"context"
	"flag"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

func main() {
	var cfg run.OrderAPIConfig
	run.Main(run.Program{
		Name: "order-api",
		Flags: func(fs *flag.FlagSet) {
			fs.StringVar(&cfg.DataDir, "data-dir", ".local/order-api", "folder of the shards' checkpoints; they are built again from the log when it is gone")
			fs.StringVar(&cfg.PeerListen, "peer-listen", "", "`host:port` where other replicas reach this one; empty: the address from which this machine reaches the brokers, and a free port; off: this replica is the only one")
			fs.StringVar(&cfg.PeerAdvertise, "peer-advertise", "", "`host:port` that other replicas are told to call; empty: that of peer-listen, and where it has no host, the address from which this machine reaches the brokers")
			fs.StringVar(&cfg.PeerTLS.Cert, "peer-cert", "", "PEM `file` with the certificate that this replica shows to the others, for the host that they call; empty: replicas talk unencrypted, to anybody. This file, that of peer-key and that of peer-ca are read again when they change")
			fs.StringVar(&cfg.PeerTLS.Key, "peer-key", "", "PEM `file` with the key of peer-cert")
			fs.StringVar(&cfg.PeerTLS.CA, "peer-ca", "", "PEM `file` with the authority that signed the certificates of all replicas, and no others")
			fs.DurationVar(&cfg.PaymentWindow, "payment-window", command.DefaultPaymentWindow, "how long a prepaid order waits for its payment")
			fs.DurationVar(&cfg.SessionTimeout, "session-timeout", eventlog.DefaultSessionTimeout, "after how long a replica that is not heard of loses its shards")
			fs.DurationVar(&cfg.StandbyEvery, "standby-every", run.DefaultStandbyEvery, "how often this replica's checkpoints of shards that others serve follow the log, so that taking one over is quick however long its history is; 0: never")
		},
		Run: func(ctx context.Context, s run.Service) error {
			cfg.Service = s
			return run.OrderAPI(ctx, cfg)
		},
	})
}
