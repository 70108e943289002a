package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// Limits of the server.
const (
	maxBodyBytes  = 1 << 20
	headerTimeout = 5 * time.Second
	stopTimeout   = 5 * time.Second
)

// Serve listens on an address, says on which one, and serves the store until ctx ends.
func Serve(ctx context.Context, store Store, address string, ready func(url string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: Handler(store), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready("http://" + listener.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// Handler is the API of a store.
func Handler(store Store) http.Handler {
	e := echo.New()
	s := &api{store: store}
	e.POST("/v1/orders", s.placeOrder)
	e.POST("/v1/commands", s.commands)
	return e
}

type api struct{ store Store }

// Content types as header values, which all answers share.
var (
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
)

func (s *api) placeOrder(c echo.Context) error {
	r := c.Request()
	body, err := readBody(r)
	if err != nil {
		return answer(c, http.StatusBadRequest, appendProblem(nil, http.StatusBadRequest, "malformed_json", err.Error()))
	}
	status, b := s.place(r.Context(), r.Header.Get("Idempotency-Key"), body)
	return answer(c, status, b)
}

// readBody reads a body of a known length into one buffer of that size.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > maxBodyBytes {
		return nil, errors.New("a body has a length of at most 1 MiB")
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func answer(c echo.Context, status int, body []byte) error {
	header := c.Response().Header()
	header["Content-Type"] = jsonType
	if status >= http.StatusBadRequest {
		header["Content-Type"] = problemType
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.Response().WriteHeader(status)
	_, err := c.Response().Write(body)
	return err
}

// place is one order, of a request or of a line.
func (s *api) place(ctx context.Context, key string, body []byte) (status int, answer []byte) {
	o, err := ParseOrder(key, body)
	if err != nil {
		return http.StatusBadRequest, appendProblem(nil, http.StatusBadRequest, "invalid_order", err.Error())
	}
	number, err := s.store.Place(ctx, o)
	var short *ShortError
	switch {
	case err == nil:
		return http.StatusCreated, appendOrder(nil, o, number)
	case errors.As(err, &short):
		return http.StatusConflict, appendShort(nil, o, short)
	case errors.Is(err, ErrReused):
		return http.StatusUnprocessableEntity,
			appendProblem(nil, http.StatusUnprocessableEntity, "idempotency_key_reused", err.Error())
	default:
		return http.StatusInternalServerError, appendProblem(nil, http.StatusInternalServerError, "internal", err.Error())
	}
}
