package httpapi

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/problem"
)

// HeaderValue reads one header, whose name must be in canonical form: "Idempotency-Key".
func HeaderValue(header http.Header, canonicalName string) string {
	if values := header[canonicalName]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// OneValue reads a header that may be there once. Of two values nobody can tell which one is meant.
func OneValue(header http.Header, canonicalName string) (string, error) {
	if len(header[canonicalName]) > 1 {
		return "", problem.New(problem.DuplicateHeader, "The header "+canonicalName+" is there twice.")
	}
	return HeaderValue(header, canonicalName), nil
}

// CheckMediaType refuses a body that is not said to be of an allowed type, or that is compressed. No type is not
// enough: web pages of other origins may send bodies without one, and may not say application/json.
func CheckMediaType(c echo.Context, allowed ...string) error {
	header := c.Request().Header
	value, err := OneValue(header, "Content-Type")
	if err != nil {
		return err
	}
	for _, encoding := range header["Content-Encoding"] {
		if !strings.EqualFold(encoding, "identity") && encoding != "" {
			c.Response().Header()["Accept-Encoding"] = []string{"identity"}
			return problem.New(problem.UnsupportedMediaType, "Send the body as it is, without Content-Encoding.")
		}
	}
	mediaType, _, _ := strings.Cut(value, ";")
	mediaType = strings.TrimSpace(mediaType)
	for _, a := range allowed {
		if strings.EqualFold(mediaType, a) {
			return nil
		}
	}
	return problem.New(problem.UnsupportedMediaType,
		"Say in Content-Type what the body is: "+strings.Join(allowed, " or ")+".")
}

// PathParameter returns a parameter of the path, decoded once: echo routes on the raw path when there is one.
func PathParameter(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// ETag is the entity tag of a version: "3" in quotes.
func ETag(version uint64) string {
	b := make([]byte, 0, 24)
	b = append(b, '"')
	b = strconv.AppendUint(b, version, 10)
	return string(append(b, '"'))
}
