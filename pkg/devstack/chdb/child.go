package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
)

// child is one process of the engine.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// ended is closed when the process has ended; err says how, and is valid from then on.
	ended chan struct{}
	err   error

	mu        sync.Mutex
	lastLines []string // of its output
}

// startChild starts a process of the engine and returns once it answers requests.
func (s *Server) startChild(ctx context.Context) (*child, error) {
	c, ready, err := s.launchChild()
	if err != nil {
		return nil, err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-ready:
		return c, nil
	case <-c.ended:
		return nil, errors.New(c.reason())
	case <-startCtx.Done():
		c.kill()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("the engine is not ready after %s: %s", startTimeout, c.reason())
	}
}

// launchChild starts a process of the engine. The channel is closed once it answers requests.
func (s *Server) launchChild() (*child, <-chan struct{}, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	c := &child{ended: make(chan struct{})}
	c.cmd = exec.Command(program, link.Command,
		"--"+link.DirFlag, s.options.Dir,
		"--"+link.LibraryFlag, s.libraryPath,
		"--"+link.NiceFlag, strconv.Itoa(s.options.Nice))
	// The time zone must not depend on the machine.
	c.cmd.Env = append(os.Environ(), "TZ=UTC", link.PasswordEnv+"="+s.password)
	c.cmd.ExtraFiles = []*os.File{s.socket} // becomes link.ListenerFD
	// The engine gets a process group of its own, for two reasons: SYSTEM SHUTDOWN signals its whole group, and Ctrl-C in
	// a terminal must reach the parent alone, which then stops the engine in order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, nil, err
	}
	ready := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() { c.readOutput(stdout, sync.OnceFunc(func() { close(ready) }), s.options.Logger) })
	readers.Go(func() { c.readOutput(stderr, func() {}, s.options.Logger) })
	go func() {
		readers.Wait() // Wait closes the pipes, so they must be read to their ends before
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, ready, nil
}

// readOutput logs the engine's output and keeps its last lines. It calls ready for link.ReadyLine.
func (c *child) readOutput(from io.Reader, ready func(), log *slog.Logger) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		line := lines.Text()
		if line == link.ReadyLine {
			ready()
			continue
		}
		log.Info("embedded ClickHouse: " + line)
		c.mu.Lock()
		c.lastLines = append(c.lastLines[max(0, len(c.lastLines)-maxKeptLines+1):], line)
		c.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, from) // a line too long for the scanner must not block the engine
}

// reason is why the engine ended, as far as its output tells.
func (c *child) reason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lastLines) > 0 {
		return strings.Join(c.lastLines, "\n")
	}
	return fmt.Sprint("the engine ended without a word: ", c.err)
}

// close tells the engine to stop, and kills it after stopTimeout.
func (c *child) close() {
	_, _ = io.WriteString(c.stdin, link.StopLine+"\n")
	_ = c.stdin.Close()
	killLate := time.AfterFunc(stopTimeout, func() { _ = c.cmd.Process.Kill() })
	defer killLate.Stop()
	<-c.ended
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}
