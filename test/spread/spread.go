// Package spread sends the requests of one HTTP client to several replicas in turn, as a load balancer does that asks
// none of them whether it is there: it learns from a connection that is refused.
package spread

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// restAfterRefusal is for how long a replica gets no requests after one that it did not answer, while others do.
const restAfterRefusal = time.Second

// Over sends each request to the next of the base URLs, which have no path, through next. Whatever host a request names
// does not count. A request that fails is not tried again: that is for the client.
func Over(next http.RoundTripper, urls []string) http.RoundTripper {
	t := &transport{next: next}
	for _, u := range urls {
		scheme, host, _ := strings.Cut(u, "://")
		t.replicas = append(t.replicas, &replica{URL: url.URL{Scheme: scheme, Host: strings.TrimSuffix(host, "/")}})
	}
	return t
}

type transport struct {
	next     http.RoundTripper
	replicas []*replica
	turn     atomic.Uint64
}

type replica struct {
	url.URL
	failed atomic.Int64 // when a request failed last, in Unix nanoseconds
}

// pick is the replica whose turn it is; one that rests is passed, unless all do.
func (t *transport) pick() *replica {
	turn := t.turn.Add(1)
	for i := range t.replicas {
		r := t.replicas[(turn+uint64(i))%uint64(len(t.replicas))]
		if time.Now().UnixNano()-r.failed.Load() > int64(restAfterRefusal) {
			return r
		}
	}
	return t.replicas[turn%uint64(len(t.replicas))]
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	r := t.pick()
	sent := request.Clone(request.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = r.Scheme, r.Host, ""
	response, err := t.next.RoundTrip(sent)
	if err != nil {
		r.failed.Store(time.Now().UnixNano())
	}
	return response, err
}
