// Package engine is the process of the embedded ClickHouse. It loads ClickHouse's engine as a library, libchdb, and
// puts ClickHouse's HTTP interface in front of it. It accepts connections from this machine only, with the password
// that its parent has made. Statements cannot leave the database: they read no files and reach no addresses.
//
// A program that imports this package links purego, and then needs the C library's loader at run time. The services'
// images have none, so only cmd/holdfast and tests import it. Package chdb, which starts the process, does not.
//
// child.go is the process. access.go says who may do what. gateway.go answers requests: request.go parses them,
// split.go finds an INSERT's data, output.go and failure.go write responses, hello.go answers the driver's first query.
// engine.go and library.go call libchdb.
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
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/internal/link"
	"github.com/holdfast/holdfast/pkg/lockfile"
)

const (
	// lockTimeout is how long to wait for the data directory. An engine whose parent was killed ends by itself, a moment
	// later.
	lockTimeout = 2 * time.Second
	// headerTimeout bounds how long a client may take to send a request's headers.
	headerTimeout = 10 * time.Second
)

// RunIfChild returns at once unless chdb.Start in another process started this one to be the engine. Then it runs the
// engine and does not return. A program that calls chdb.Start must call RunIfChild first in main, and a test in
// TestMain.
func RunIfChild() {
	if len(os.Args) < 2 || os.Args[1] != link.Command {
		return
	}
	if err := runChild(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// The library is not closed. Acknowledged inserts must outlive a kill anyway, and closing a session in which a query
	// runs can abort the process.
	os.Exit(0)
}

func runChild(args []string) error {
	flags := flag.NewFlagSet(link.Command, flag.ContinueOnError)
	dir := flags.String(link.DirFlag, "", "data directory")
	path := flags.String(link.LibraryFlag, "", "libchdb")
	nice := flags.Int(link.NiceFlag, 0, "nice value of this process")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := lowerPriority(*nice); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		awaitStopLine()
		cancel()
	}()
	release, err := lockfile.AcquireDir(ctx, *dir, lockTimeout)
	if err != nil {
		return err
	}
	defer release()
	return serveEngine(ctx, *path, *dir)
}

// awaitStopLine returns when the parent says to stop. When the parent has ended instead, nobody waits for answers, and
// the address and the directory must become free at once: awaitStopLine then kills this process. An ordinary exit could
// be slow, because it runs the library's exit handlers.
func awaitStopLine() {
	if line, _ := bufio.NewReader(os.Stdin).ReadString('\n'); line != link.StopLine+"\n" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

// lowerPriority gives every thread at least that nice value. Linux has one nice value per thread, and a new thread
// inherits that of the thread that created it. So the list of threads is read again until it has no new ones.
func lowerPriority(nice int) error {
	const threads = "/proc/self/task"
	for seen, more := map[string]bool{}, nice != 0; more; {
		more = false
		tasks, err := os.ReadDir(threads)
		if err != nil {
			return fmt.Errorf("the threads of this process: %w", err)
		}
		for _, task := range tasks {
			if seen[task.Name()] {
				continue
			}
			seen[task.Name()], more = true, true
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("%s/%s is no thread: %w", threads, task.Name(), err)
			}
			if err := lowerThread(id, nice); err != nil && !errors.Is(err, syscall.ESRCH) { // it may have ended
				return fmt.Errorf("set the nice value %d: %w", nice, err)
			}
		}
	}
	return nil
}

// lowerThread gives a thread that nice value, unless its own is as high already: only the superuser may reduce it.
func lowerThread(thread, nice int) error {
	const zero = 20 // getpriority(2) returns 20 - nice
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
	g, err := newGateway(e, os.Getenv(link.PasswordEnv))
	if err != nil {
		return err
	}
	socket := os.NewFile(link.ListenerFD, "listener")
	listener, err := net.FileListener(socket)
	if err != nil {
		return fmt.Errorf("the socket of the parent process: %w", err)
	}
	_ = socket.Close() // FileListener has duplicated it; the address must be free once the listener is closed
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
	_ = server.Shutdown(drain) // requests that have not ended by then are cut off
	return nil
}
