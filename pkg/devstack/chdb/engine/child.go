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
	if err := flags.Parse(args); err != nil {
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
