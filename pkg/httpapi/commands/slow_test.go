package commands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/httpapi"
)

// A client that announces a body and never sends it is answered and cut off, whether the body is wanted or not.
func TestSlowBodiesAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the body timeout")
	}
	s := newSite(t, &desk{})
	var group sync.WaitGroup
	for line, status := range map[string]int{
		"POST /v1/orders":    http.StatusRequestTimeout,
		"POST /v1/nothing":   http.StatusNotFound,
		"DELETE /v1/orders":  http.StatusMethodNotAllowed,
		"GET /healthz":       http.StatusOK,
		"PUT /v1/stock/A%00": http.StatusRequestTimeout,
	} {
		group.Go(func() {
			connection, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			fmt.Fprintf(connection, "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Content-Length: 100\r\n\r\n{", line)
			if err := connection.SetReadDeadline(time.Now().Add(2 * httpapi.BodyTimeout)); err != nil {
				t.Error(err)
			}
			reader := bufio.NewReader(connection)
			response, err := http.ReadResponse(reader, nil)
			if err != nil || response.StatusCode != status {
				t.Errorf("%s: %v %v, want %d", line, response, err, status)
				return
			}
			if _, err := io.Copy(io.Discard, reader); err != nil {
				t.Errorf("%s: the connection stays open: %v", line, err)
			}
		})
	}
	group.Wait()
}

// A client that never ends its headers, silent or byte by byte, is cut off.
func TestSlowHeadersAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the header timeout")
	}
	server, err := httpapi.NewServer(httpapi.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	listens, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- server.Run(ctx, "127.0.0.1:0", func(address string) { listens <- address }) }()
	address := <-listens
	var group sync.WaitGroup
	for _, trickles := range []bool{false, true} {
		group.Go(func() {
			connection, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			start := time.Now()
			fmt.Fprint(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, connection) // ends with the connection, whichever way
			}()
			late := time.After(2 * httpapi.HeaderTimeout)
			for tick := time.Tick(httpapi.HeaderTimeout / 50); ; {
				select {
				case <-tick:
					if trickles {
						_, _ = connection.Write([]byte("x")) // fails once it is cut off, which is what is waited for
					}
				case <-gone:
					if took := time.Since(start); took < httpapi.HeaderTimeout/2 {
						t.Errorf("trickles %t: cut off after %s already", trickles, took)
					}
					return
				case <-late:
					t.Errorf("trickles %t: still open after %s", trickles, time.Since(start))
					return
				}
			}
		})
	}
	group.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
