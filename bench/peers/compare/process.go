package compare

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	// keptOutput is how much of a program's output is shown when it fails.
	keptOutput = 4 << 10
)

// process is a server that was started for a cell.
type process struct {
	cmd    *exec.Cmd
	name   string
	output *tail
	ended  chan struct{}
	err    error
}

// startProcess starts a program that runs until it is stopped, or until ctx ends.
func startProcess(ctx context.Context, name string, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, name: name, output: &tail{}, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.output
	}
	cmd.Stderr = p.output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.err = cmd.Wait(); close(p.ended) }()
	context.AfterFunc(ctx, func() { _ = p.stop(syscall.SIGTERM) })
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the program to end, and waits until it has.
func (p *process) stop(signal syscall.Signal) error {
	_ = p.cmd.Process.Signal(signal) // an error: it has ended
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %s", p.name, stopTimeout)
	}
	return nil
}

// failed is the error of a program that ended by itself.
func (p *process) failed() error { return fmt.Errorf("%s has ended: %w\n%s", p.name, p.err, p.output) }

// startServer starts a program that says on its output where it serves. It returns what the patterns have found there,
// their first groups.
func startServer(
	ctx context.Context, name string, cmd *exec.Cmd, patterns ...*regexp.Regexp,
) (*process, []string, error) {
	read, write := io.Pipe()
	cmd.Stdout = write
	p, err := startProcess(ctx, name, cmd)
	if err != nil {
		return nil, nil, err
	}
	go func() { <-p.ended; _ = write.Close() }()
	found := make([]string, len(patterns))
	complete := make(chan struct{})
	go func() {
		missing := len(patterns)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			_, _ = p.output.Write(append(bytes.Clone(lines.Bytes()), '\n'))
			for i, pattern := range patterns {
				if match := pattern.FindStringSubmatch(lines.Text()); match != nil && found[i] == "" {
					found[i] = match[1]
					if missing--; missing == 0 {
						close(complete)
					}
				}
			}
		}
	}()
	select {
	case <-complete:
		return p, found, nil
	case <-p.ended:
		return nil, nil, p.failed()
	case <-time.After(startTimeout):
		return nil, nil, errors.Join(fmt.Errorf("%s does not serve after %s", name, startTimeout), p.stop(syscall.SIGKILL))
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - keptOutput; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
