package commands

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// DefaultWait is how long a request waits for its command's outcome, unless it says otherwise (Prefer: wait=N, RFC
// 7240). It waits httpapi.MaxWait at most.
const DefaultWait = 10 * time.Second

// preference is what a client wants to wait for.
type preference struct {
	wait time.Duration
	// async: answer as soon as the command is durable, whatever its outcome will be.
	async bool
}

// parsePrefer reads wait and respond-async; as RFC 7240 asks, what is unknown or malformed is passed over.
func parsePrefer(header http.Header) preference {
	p := preference{wait: DefaultWait}
	values := header["Prefer"]
	if len(values) == 0 {
		return p
	}
	waitGiven := false
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			name, argument, _ := strings.Cut(strings.TrimSpace(item), "=")
			switch {
			case strings.EqualFold(name, "respond-async"):
				p.async = true
			case strings.EqualFold(name, "wait") && !waitGiven:
				if seconds, err := strconv.ParseUint(argument, 10, 31); err == nil {
					p.wait, waitGiven = min(time.Duration(seconds)*time.Second, httpapi.MaxWait), true
				}
			}
		}
	}
	switch {
	case waitGiven && p.wait == 0:
		p.wait, p.async = DefaultWait, true
	case waitGiven:
		p.async = false // respond-async, wait=N: wait N first
	}
	return p
}

// principalOf is who asks for a command.
func principalOf(c echo.Context) (shard.Principal, error) {
	p, err := httpapi.PrincipalOf(c)
	return shard.Principal{Name: p.Name, Verified: p.Verified}, err
}

// parseIfMatch reads the version that a client expects; nil: any. A tag that is well-formed but not one of ours matches
// no version. It is for the shard to say so: a fault of the body comes first (RFC 9110, 13.2.1), and the answer has the
// current version.
func parseIfMatch(header http.Header) (*uint64, error) {
	values := header["If-Match"]
	if len(values) == 0 {
		return nil, nil
	}
	value := strings.TrimSpace(values[0])
	if value == "*" && len(values) == 1 {
		return nil, nil
	}
	opaque, weak := strings.CutPrefix(value, "W/")
	inner, ok := unquote(opaque)
	if !ok || len(values) > 1 {
		return nil, &problem.Problem{Code: problem.InvalidIfMatch, Detail: `If-Match takes one entity tag like "3", or *.`}
	}
	version, err := strconv.ParseUint(inner, 10, 64)
	if err != nil || weak || version == 0 || strconv.FormatUint(version, 10) != inner {
		version = shard.NoVersion
	}
	return &version, nil
}

func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	inner := s[1 : len(s)-1]
	return inner, !strings.ContainsAny(inner, "\" ,\t")
}
