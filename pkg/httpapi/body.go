package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// trustedBodyBytes is how much is allocated on the word of a Content-Length alone.
const trustedBodyBytes = 64 << 10

// ReadBody reads a body within its limits of size and time. It is JSON, unless other media types are named. The caller
// owns the bytes.
func ReadBody(c echo.Context, mediaTypes ...string) ([]byte, error) {
	r := c.Request()
	if r.ContentLength == 0 && len(r.Header["Content-Type"]) == 0 {
		return nil, nil
	}
	if len(mediaTypes) == 0 {
		mediaTypes = []string{"application/json"}
	}
	if err := CheckMediaType(c, mediaTypes...); err != nil {
		return nil, err
	}
	switch {
	case r.ContentLength == 0:
		return nil, nil
	case r.ContentLength > limits.MaxBodyBytes:
		return nil, bodyTooLarge()
	}
	control := http.NewResponseController(c.Response().Writer)
	// Errors mean a connection without deadlines, as in tests without a socket.
	_ = control.SetReadDeadline(time.Now().Add(BodyTimeout))
	body, err := readLimited(r.Body, r.ContentLength)
	if err == nil { // otherwise net/http throws the rest away, and must not wait for it for ever
		_ = control.SetReadDeadline(time.Time{})
	}
	return body, err
}

func readLimited(body io.Reader, length int64) ([]byte, error) {
	if length > 0 && length <= trustedBodyBytes {
		b := make([]byte, length)
		_, err := io.ReadFull(body, b)
		return b, bodyError(err)
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(body, limits.MaxBodyBytes+1))
	if n > limits.MaxBodyBytes {
		return nil, bodyTooLarge()
	}
	return b.Bytes(), bodyError(err)
}

func bodyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(problem.RequestTimeout, "The body took longer than "+BodyTimeout.String()+".")
	}
	return problem.New(problem.MalformedJSON, "The body ended before its announced length, or its encoding is broken.")
}

func bodyTooLarge() error {
	return problem.New(problem.BodyTooLarge, "A body may have "+strconv.Itoa(limits.MaxBodyBytes)+" bytes.")
}
