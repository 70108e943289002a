// Package engine is the process of the embedded ClickHouse: libchdb, the real engine as a library, behind ClickHouse's
// HTTP interface. It answers this machine only, and without a password: whoever can reach its port can do what its user
// can, reading files by SQL included.
//
// Programs that import it are linked against the C library's loader, so services must not; pkg/devstack/chdb, which
// starts the process, is free of it. child.go is the process, gateway.go answers requests, engine.go and library.go call
// the library.
package engine

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
	"github.com/holdfast/holdfast/pkg/devstack/internal/lockfile"
)

const (
	// lockPatience is given to an engine whose parent was killed: it ends by itself.
	lockPatience = 2 * time.Second
	// headerTimeout bounds how slowly a request may begin.
	headerTimeout = 10 * time.Second
)

// RunIfChild turns this process into the engine, and does not return, if chdb.Start of another one began it for
// that. Every program that calls Start must call it first in main, and tests in TestMain.
func RunIfChild() {
	if len(os.Args) < 2 || os.Args[1] != link.Command {
		return
	}
	if err := runChild(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Nothing is closed in the library: what was acknowledged must outlive a kill anyway, and closing a
	// session with a query in it can abort the process.
	os.Exit(0)
}

func runChild(args []string) error {
	flags := flag.NewFlagSet(link.Command, flag.ContinueOnError)
	dir := flags.String(link.DirFlag, "", "data directory")
	path := flags.String(link.LibraryFlag, "", "libchdb")
	nice := flags.Int(link.NiceFlag, 0, "how far to give way to other processes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := giveWay(*nice); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, told := context.WithCancel(ctx)
	defer told()
	go func() {
		defer told()
		if line, _ := bufio.NewReader(os.Stdin).ReadString('\n'); line != link.StopLine+"\n" {
			// The parent has ended, in whatever way, and nobody waits for an answer. The address and the directory
			// must be free at once: an exit may run what the library has registered for it.
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}()

	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	// Beside the data: the engine owns what is inside.
	release, err := lockfile.Await(patience, filepath.Clean(*dir)+".lock")
	if errors.Is(err, lockfile.ErrTaken) {
		return fmt.Errorf("another process uses the data directory %s; stop it or choose another", *dir)
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	defer release()
	return serveEngine(ctx, *path, *dir)
}

// giveWay lowers the priority of every thread to that of nice, unless it is lower already. Linux has one for each, and a
// new thread takes that of its maker; so the list is gone through until it holds no thread that was not there before.
func giveWay(nice int) error {
	const threads = "/proc/self/task"
	for seen, found := map[string]bool{}, nice != 0; found; {
		found = false
		tasks, err := os.ReadDir(threads)
		if err != nil {
			return fmt.Errorf("the threads of this process: %w", err)
		}
		for _, task := range tasks {
			if seen[task.Name()] {
				continue
			}
			seen[task.Name()], found = true, true
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("%s/%s is no thread: %w", threads, task.Name(), err)
			}
			if err := lower(id, nice); err != nil && !errors.Is(err, syscall.ESRCH) { // it may have ended meanwhile
				return fmt.Errorf("give way to other processes (nice %d): %w", nice, err)
			}
		}
	}
	return nil
}

// lower takes a thread to nice; going up again would need a privilege.
func lower(thread, nice int) error {
	const zero = 20 // the system call answers 20 - nice
	priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, thread)
	if err != nil || zero-priority >= nice {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, thread, nice)
}

func serveEngine(ctx context.Context, path, dir string) error {
	e, err := openEngine(path, dir)
	if err != nil {
		return err
	}
	g, err := newGateway(e)
	if err != nil {
		return err
	}
	socket := os.NewFile(link.ListenerFD, "listener")
	listener, err := net.FileListener(socket)
	if err != nil {
		return fmt.Errorf("the socket of the parent process: %w", err)
	}
	_ = socket.Close() // so that the address is free as soon as the listener is closed
	server := &http.Server{Handler: g.handler(), ReadHeaderTimeout: headerTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println(link.ReadyLine)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), link.DrainTimeout)
	defer cancel()
	_ = server.Shutdown(drain) // what has not ended by now is cut off
	return nil
}
