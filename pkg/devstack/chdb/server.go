// Package chdb runs ClickHouse without a server to install: libchdb, the real engine as a library, in a process of its
// own (package engine), which this one starts, and starts again when it ends. Clients are the same as in production. It
// is for development and tests: no password, no replication, no sessions.
//
// fetch.go gets the library once; server.go owns the address and the process.
package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
)

// DefaultListen lets the system choose a port that is free.
const DefaultListen = "127.0.0.1:0"

const (
	// listenPatience is given to an engine whose parent was killed to let go of the address.
	listenPatience = time.Second
	listenPause    = 20 * time.Millisecond
	// startTimeout bounds the wait for an engine: it loads the data directory in it.
	startTimeout = time.Minute
	// firstPause and longestPause lie between attempts to start an engine that ended; they double.
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	// maxFailedStarts in a row are taken for a fault that stays.
	maxFailedStarts = 6
	// stopTimeout is given to an engine to end by itself: longer than its drain.
	stopTimeout = link.DrainTimeout + 5*time.Second
	// keptLines of what the engine said last explain why it ended.
	keptLines = 20
)

// Options configure the embedded ClickHouse.
type Options struct {
	// Dir keeps the data between runs. One process at a time may use it.
	Dir string
	// Listen is a host:port on this machine. Default DefaultListen.
	Listen string
	// Logger; default: none.
	Logger *slog.Logger
	// Nice is how far the engine gives way to other processes when they are short of CPU: 0, not at all, to 19.
	Nice int
	// Progress is told about the download, which happens once. Default: standard error.
	Progress io.Writer
}

// Server is a ClickHouse in a child process. When the child ends, another is started on the same address;
// requests that come in between wait, those under way break off.
type Server struct {
	options  Options
	library  string
	listener *net.TCPListener
	socket   *os.File // the same address, as children get it
	failed   chan error
	stop     context.CancelFunc
	ended    chan struct{}
	closing  sync.Once

	mu    sync.Mutex
	child *child
}

// Start fetches the engine if it is not there yet, starts it and returns when it answers. The process is this program
// again: its main, or TestMain, begins with engine.RunIfChild.
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
	s := &Server{options: o, failed: make(chan error, 1), ended: make(chan struct{})}
	if s.listener, err = listen(o.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeAddress()
		}
	}()
	fetch, err := newFetcher(o.Progress)
	if err != nil {
		return nil, err
	}
	if s.library, err = fetch.library(ctx); err != nil {
		return nil, err
	}
	if s.socket, err = s.listener.File(); err != nil {
		return nil, err
	}
	if s.child, err = s.startChild(ctx); err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.watch(watch)
	return s, nil
}

// listen takes addresses of this machine only: there is no password.
func listen(address string) (*net.TCPListener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not host:port: %w", address, err)
	}
	if !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("listen address %s is not of this machine alone, as 127.0.0.1 is; there is no password", address)
	}
	l, err := net.ListenTCP("tcp", tcp)
	for deadline := time.Now().Add(listenPatience); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(deadline); {
		time.Sleep(listenPause)
		l, err = net.ListenTCP("tcp", tcp)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program listens on %s already; stop it or choose another address: %w", address, err)
	}
	return l, err
}

// Addr is the host:port of the HTTP interface.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// DSN is what clickhouse-go connects to.
func (s *Server) DSN() string { return "http://" + s.Addr() + "/default" }

// PID is the engine's process, which is another after each start; 0 when it is not started any more.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Failed gets an error when the engine ends again and again; then it is not started any more.
func (s *Server) Failed() <-chan error { return s.failed }

// Close stops the engine, once the requests under way have ended or link.DrainTimeout is over. The data stays.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.stop()
		<-s.ended
		s.closeAddress()
	})
}

func (s *Server) closeAddress() {
	_ = s.socket.Close()
	_ = s.listener.Close()
}

// watch starts the engine again whenever it ends.
func (s *Server) watch(ctx context.Context) {
	defer close(s.ended)
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
			s.closeAddress() // waiting requests must not wait for ever
			s.failed <- fmt.Errorf("embedded clickhouse: %w", err)
		}
	}
}

func (s *Server) restart(ctx context.Context) (*child, error) {
	pause := firstPause
	for failures := 1; ; failures++ {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause):
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
		pause = min(2*pause, longestPause)
	}
}

// child is one process of the engine.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
	err   error // once ended

	mu    sync.Mutex
	lines []string // what it said last
}

// startChild returns when the engine answers.
func (s *Server) startChild(ctx context.Context) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{ended: make(chan struct{})}
	c.cmd = exec.Command(program, link.Command, "--"+link.DirFlag, s.options.Dir, "--"+link.LibraryFlag, s.library,
		"--"+link.NiceFlag, strconv.Itoa(s.options.Nice))
	// One time zone everywhere, whatever the machine's.
	c.cmd.Env = append(os.Environ(), "TZ=UTC")
	c.cmd.ExtraFiles = []*os.File{s.socket}
	// A process group of its own: SYSTEM SHUTDOWN ends the group, and Ctrl-C in a terminal is for the parent, which
	// says when it is time.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { c.read(stdout, sync.OnceFunc(func() { close(ready) }), s.options.Logger) })
	reading.Go(func() { c.read(stderr, func() {}, s.options.Logger) })
	go func() {
		reading.Wait()
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	select {
	case <-ready:
		return c, nil
	case <-c.ended:
		return nil, errors.New(c.reason())
	case <-ctx.Done():
		c.kill()
		return nil, ctx.Err()
	case <-time.After(startTimeout):
		c.kill()
		return nil, fmt.Errorf("the engine is not ready after %s: %s", startTimeout, c.reason())
	}
}

// read keeps what the engine says.
func (c *child) read(from io.Reader, ready func(), log *slog.Logger) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		line := lines.Text()
		if line == link.ReadyLine {
			ready()
			continue
		}
		log.Info("embedded ClickHouse: " + line)
		c.mu.Lock()
		c.lines = append(c.lines[max(0, len(c.lines)-keptLines+1):], line)
		c.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, from) // a line too long for the scanner must not block the engine
}

// reason is why the engine ended, as far as it said.
func (c *child) reason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) > 0 {
		return strings.Join(c.lines, "\n")
	}
	return fmt.Sprint("the engine ended without a word: ", c.err)
}

// close lets the engine end by itself.
func (c *child) close() {
	_, _ = io.WriteString(c.stdin, link.StopLine+"\n")
	_ = c.stdin.Close()
	select {
	case <-c.ended:
	case <-time.After(stopTimeout):
		c.kill()
	}
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}
