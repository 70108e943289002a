package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/service"
)

const (
	// brokerTimeout bounds how long a broker may take to answer while a service starts.
	brokerTimeout = 2 * time.Second
	// firstPause and longestPause are between the questions whether a broker answers.
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	// toldFrom is how long no broker has answered before that is told; toldEvery is how often it is told again.
	toldFrom  = time.Second
	toldEvery = 5 * time.Minute
)

// BrokerWait is the wait of a process for Kafka when it starts.
type BrokerWait struct {
	client *eventlog.Client
	log    *slog.Logger
	began  time.Time
	toldAt time.Time  // zero: it was not told
	asked  chan error // the question that is under way; nil: none is
	silent atomic.Pointer[SilentBrokersError]
}

// NewBrokerWait begins to wait.
func NewBrokerWait(client *eventlog.Client, log *slog.Logger) *BrokerWait {
	return &BrokerWait{client: client, log: log, began: time.Now()}
}

// Err is why the process waits, a *SilentBrokersError, as far as it is known; nil: a broker has answered.
func (w *BrokerWait) Err() error {
	if err := w.silent.Load(); err != nil {
		return err
	}
	return nil
}

// waits is what clients are told; why, and of which brokers, is for operators.
const waits = "the service starts, and waits for its log"

// errStarting says that Kafka answers, and the service does not serve yet.
var errStarting = errors.New("the service starts")

// SilentBrokersError says that a service which starts waits for Kafka.
type SilentBrokersError struct {
	Seeds string // their addresses
	Since time.Time
	Err   error // of the last attempt
}

// Error implements error.
func (e *SilentBrokersError) Error() string {
	return fmt.Sprintf("no Kafka broker at %s has answered since %s: %v. Check that the brokers run, that this machine "+
		"reaches them, and that --kafka names them. The service goes on by itself once one answers",
		e.Seeds, e.Since.UTC().Format(time.RFC3339), e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *SilentBrokersError) Unwrap() error { return e.Err }

// awaitBrokers waits until a broker answers. Kafka may start after a service, or be away when the service starts
// again; a process that ended then would be started less and less often. Meanwhile the log, and where the service
// serves also /readyz, say what it waits for. Brokers that refuse this client will do so again.
func awaitBrokers(ctx context.Context, s Service, serves bool) error {
	cfg := s.Log
	cfg.Registerer = nil // the service's own client has the metrics
	client, err := eventlog.Open(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	w := NewBrokerWait(client, s.Logger)
	if err := w.ask(ctx); err == nil || eventlog.IsRefused(err) {
		return err
	} else if w.note(err); serves {
		return w.serve(ctx, s)
	}
	return w.Await(ctx)
}

// Await asks until a broker answers, or refuses this client.
func (w *BrokerWait) Await(ctx context.Context) error {
	for pause := (backoff.Backoff{First: firstPause, Longest: longestPause}); ; {
		err := w.ask(ctx)
		if err == nil || eventlog.IsRefused(err) {
			w.silent.Store(nil)
			if !w.toldAt.IsZero() {
				w.log.Info("Kafka answers", "after", time.Since(w.began).Round(time.Millisecond).String())
			}
			return err
		}
		w.note(err)
		if pause.Sleep(ctx) != nil {
			return fmt.Errorf("no broker has answered: %w", err)
		}
	}
}

// ask asks whether a broker answers, for brokerTimeout at most. The client, which connects first, may take longer to
// say that none does; then that question stays under way.
func (w *BrokerWait) ask(ctx context.Context) error {
	if w.asked == nil {
		w.asked = make(chan error, 1)
		go func(answer chan<- error) { answer <- w.client.Ping(ctx) }(w.asked)
	}
	timeout := time.NewTimer(brokerTimeout)
	defer timeout.Stop()
	select {
	case err := <-w.asked:
		w.asked = nil
		return err
	case <-timeout.C:
		return errors.New("no answer")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note tells that nobody has answered.
func (w *BrokerWait) note(err error) {
	now := time.Now()
	silent := &SilentBrokersError{Seeds: strings.Join(w.client.Config().Seeds, ","), Since: w.began, Err: err}
	w.silent.Store(silent)
	if now.Sub(w.began) >= toldFrom && now.Sub(w.toldAt) >= toldEvery {
		w.toldAt = now
		w.log.Error("nothing is served yet: the service waits for Kafka", "error", silent)
	}
}

// serve is Await with the service's address: its health, and that nothing is served yet.
func (w *BrokerWait) serve(ctx context.Context, s Service) error {
	reason := func() error { return cmp.Or(w.Err(), errStarting) }
	server, err := httpapi.NewServer(httpapi.Config{
		Logger: s.Logger, Ready: reason, Hosts: httpapi.HostsOf(s.Listen, s.AllowedHosts), TLS: s.TLS,
	})
	if err != nil {
		return err
	}
	server.AnswerRest(func() error {
		return &problem.Problem{Code: problem.Unavailable, Detail: waits, RetryAfterSeconds: 1}
	})
	ctx, answered := context.WithCancel(ctx)
	defer answered()
	return service.Run(ctx,
		func(ctx context.Context) error {
			return server.Run(ctx, s.Listen, func(address string) {
				s.Logger.Info("waiting for Kafka; /healthz and /readyz are served", "address", address)
			})
		},
		func(ctx context.Context) error {
			defer answered()
			return w.Await(ctx)
		})
}
