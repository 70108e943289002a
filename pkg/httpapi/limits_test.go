package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
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
			fmt.Fprintf(connection, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", line)
			if err := connection.SetReadDeadline(time.Now().Add(2 * BodyTimeout)); err != nil {
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
