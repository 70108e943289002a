package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/problem"
)

// AnyHost in Config.Hosts takes requests under every name.
const AnyHost = "*"

// HostsOf are the names under which a server at an address takes requests: those that the setting lists. Where it
// lists none, a server on a loopback address takes those of this machine, since nobody else reaches it; any other
// server takes all names, since it cannot know those of load balancers and probes.
func HostsOf(listen string, allowed []string) []string {
	if len(allowed) > 0 || !isLoopback(hostname(listen)) {
		return allowed
	}
	return LocalHosts(listen)
}

// LocalHosts are the names of this machine for itself, and the one that an address listens on.
func LocalHosts(listen string, more ...string) []string {
	hosts := append([]string{"localhost"}, more...)
	if name := hostname(listen); name != "" {
		hosts = append(hosts, name)
	}
	return hosts
}

// IsLoopback reports whether nobody but this machine reaches an address to listen on.
func IsLoopback(listen string) bool { return isLoopback(hostname(listen)) }

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return isLocalhost(host) || err == nil && ip.IsLoopback()
}

// isLocalhost knows localhost and the names below it, which RFC 6761 keeps on this machine.
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostname is the name in host or host:port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// guard refuses what web pages of other origins send through somebody's browser. Neither check concerns programs: they
// send no Sec-Fetch-Site and no Origin, and the Host that they were told.
//
//   - A request of another site that may change something: a form, fetch without CORS, navigator.sendBeacon.
//   - A name that is not ours: a page at http://evil.example can let that name point to 127.0.0.1 after it has loaded
//     (DNS rebinding). The browser then takes this server for a part of the page's own site, and only Host tells.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	crossOrigin := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if s.config.TLS != (TLS{}) {
			c.Response().Header()["Strict-Transport-Security"] = []string{strictTransport}
		}
		if !s.knowsHost(c.Request().Host) {
			return problem.New(problem.UnknownHost, "The Host header names none of the hosts that this server is reached under.")
		}
		if err := crossOrigin.Check(c.Request()); err != nil {
			return problem.New(problem.CrossOrigin, "The request comes from a web page of another origin.")
		}
		return next(c)
	}
}

// knowsHost reports whether a request may name this host. An IP address always may: a page that names it came from
// there. So may none at all: browsers always send one, and HTTP/1.0 health checks do not.
func (s *Server) knowsHost(host string) bool {
	if len(s.config.Hosts) == 0 || host == "" || slices.Contains(s.config.Hosts, AnyHost) {
		return true
	}
	name := hostname(host)
	if _, err := netip.ParseAddr(name); err == nil || isLocalhost(name) {
		return true
	}
	return slices.ContainsFunc(s.config.Hosts, func(known string) bool { return hostname(known) == name })
}
