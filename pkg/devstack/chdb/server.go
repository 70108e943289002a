// Package chdb runs ClickHouse for development and tests, without a server to install. ClickHouse's engine is available
// as a library, libchdb. It runs in a child process (package engine), which this package starts, and restarts when it
// ends. Clients connect as to a server, with a password that is new at each start. There is no replication, and no
// sessions.
//
// fetch.go downloads the library once per user. server.go owns the listening socket and restarts the engine. child.go
// is one process of the engine, as its parent sees it.
package chdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
)

// DefaultListen lets the operating system choose a free port.
const DefaultListen = "127.0.0.1:0"

const (
	// listenTimeout is how long to wait for the address when it is in use. After a parent process was killed, its engine
	// still has the socket for a moment.
	listenTimeout      = time.Second
	listenPollInterval = 20 * time.Millisecond
	// startTimeout bounds a start of the engine, which loads the data directory.
	startTimeout = time.Minute
	// The backoff before each attempt to restart the engine doubles from minRestartBackoff to maxRestartBackoff.
	minRestartBackoff = 50 * time.Millisecond
	maxRestartBackoff = 5 * time.Second
	// maxFailedStarts is how many failed restarts in a row make the server give up.
	maxFailedStarts = 6
	// stopTimeout is how long an engine may take to end by itself. It is longer than its drain.
	stopTimeout = link.DrainTimeout + 5*time.Second
	// maxKeptLines is how many of the engine's last lines of output are kept to explain why it ended.
	maxKeptLines = 20
)

// Options configure the embedded ClickHouse.
type Options struct {
	// Dir keeps the data between runs. One process at a time may use it.
	Dir string
	// Listen is the host:port to listen on. The host must be a loopback address. Default: DefaultListen.
	Listen string
	// Logger gets the engine's output and its restarts. Default: none.
	Logger *slog.Logger
	// Nice is the nice value of the engine's process: from 0, the same priority as this process, to 19, which yields the
	// CPU to everything else.
	Nice int
	// Progress gets messages about the download, which happens once. Default: standard error.
	Progress io.Writer
}

// Server is a ClickHouse in a child process. When the child ends, another is started on the same socket. Requests that
// arrive meanwhile wait in the socket; requests that the child was answering fail.
type Server struct {
	options     Options
	libraryPath string
	password    string // of link.User, new at each start
	listener    *net.TCPListener
	socket      *os.File // the listener's socket, which children inherit
	failed      chan error
	stop        context.CancelFunc
	stopped     chan struct{}
	closeOnce   sync.Once

	mu    sync.Mutex
	child *child
}

// Start downloads the library if it is not in the cache, starts the engine and returns once it answers. The engine's
// process runs this same program, so main, or TestMain, must begin with engine.RunIfChild.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (_ *Server, err error) {
	if len(os.Args) > 1 && os.Args[1] == link.Command {
		return nil, errors.New("this process was started to be the engine: its main does not begin with engine.RunIfChild")
	}
	if o.Dir == "" {
		return nil, errors.New("no data directory is named")
	}
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	s := &Server{
		options: o, password: strings.ToLower(rand.Text()), failed: make(chan error, 1), stopped: make(chan struct{}),
	}
	if s.listener, err = listen(ctx, o.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeSockets()
		}
	}()
	fetcher, err := newFetcher(o.Progress)
	if err != nil {
		return nil, err
	}
	if s.libraryPath, err = fetcher.library(ctx); err != nil {
		return nil, err
	}
	if s.socket, err = s.listener.File(); err != nil {
		return nil, err
	}
	if s.child, err = s.startChild(ctx); err != nil {
		return nil, err
	}
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.watch(watchCtx)
	return s, nil
}

// listen accepts only loopback addresses: the password is not encrypted on its way.
func listen(ctx context.Context, address string) (*net.TCPListener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not host:port: %w", address, err)
	}
	if !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf(
			"listen address %s is not of this machine alone, as 127.0.0.1 is; nothing is encrypted", address)
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	poll := time.NewTicker(listenPollInterval)
	defer poll.Stop()
	for {
		l, err := net.ListenTCP("tcp", tcp)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is in use: %w", address, err)
		case <-poll.C:
		}
	}
}

// Addr is the host:port of the HTTP interface.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the address of a database, with user and password, as clickhouse-go takes it.
func (s *Server) URL(database string) string {
	address := url.URL{Scheme: "http", User: url.UserPassword(link.User, s.password), Host: s.Addr(), Path: "/" + database}
	return address.String()
}

// PID is the ID of the engine's process, which changes with each restart. It is 0 once the server has given up
// restarting.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Failed receives an error when the server has given up restarting the engine.
func (s *Server) Failed() <-chan error { return s.failed }

// Close stops the engine. It lets running requests end, for at most link.DrainTimeout. The data stays.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		s.stop()
		<-s.stopped
		s.closeSockets()
	})
}

func (s *Server) closeSockets() {
	_ = s.socket.Close()
	_ = s.listener.Close()
}

// watch restarts the engine whenever it ends.
func (s *Server) watch(ctx context.Context) {
	defer close(s.stopped)
	for s.child != nil {
		select {
		case <-ctx.Done():
			s.child.close()
			return
		case <-s.child.ended:
		}
		s.options.Logger.Warn("the embedded ClickHouse ended and is started again", "reason", s.child.reason())
		next, err := s.restart(ctx)
		s.mu.Lock()
		s.child = next
		s.mu.Unlock()
		if err != nil {
			s.closeSockets() // clients get connection refused instead of waiting for ever
			s.failed <- fmt.Errorf("embedded clickhouse: %w", err)
		}
	}
}

// restart starts the engine after a backoff. It returns nil and no error when ctx ends.
func (s *Server) restart(ctx context.Context) (*child, error) {
	backoff := time.NewTimer(minRestartBackoff)
	defer backoff.Stop()
	nextBackoff := minRestartBackoff
	for failures := 1; ; failures++ {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-backoff.C:
		}
		next, err := s.startChild(ctx)
		switch {
		case err == nil:
			return next, nil
		case ctx.Err() != nil:
			return nil, nil
		case failures == maxFailedStarts:
			return nil, fmt.Errorf("%d starts failed, the last: %w", failures, err)
		}
		s.options.Logger.Warn("the embedded ClickHouse does not start", "error", err)
		nextBackoff = min(2*nextBackoff, maxRestartBackoff)
		backoff.Reset(nextBackoff)
	}
}
