package httpapi

import (
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/problem"
)

func (s *Server) registerHealth() {
	router := s.Router()
	router.Add(http.MethodGet, "/healthz", func(c echo.Context) error {
		return WriteBody(c, http.StatusOK, JSONContentType, []byte(`{"status":"ok"}`))
	})
	router.Add(http.MethodGet, "/readyz", s.readyz)
}

// allowDegraded is the value of the parameter allow with which /readyz answers 200 while the process serves at least a
// part: a load balancer asks so. Otherwise one shard that is not served would take all others from its clients.
const allowDegraded = "degraded"

// readiness is the answer of /readyz.
type readiness struct {
	Status  string         `json:"status"`
	Reasons []string       `json:"reasons,omitempty"`
	More    map[string]any `json:",embed"`
}

// readyz answers 200 when all is served, and 503 with the reasons when something is not.
func (s *Server) readyz(c echo.Context) error {
	allowed := c.QueryParams()["allow"]
	if len(allowed) > 1 || len(allowed) == 1 && allowed[0] != allowDegraded {
		return problem.New(problem.InvalidParameter, "The parameter allow takes "+allowDegraded+" alone.")
	}
	var reasons []error
	select {
	case <-s.stopping:
		reasons = append(reasons, errors.New("stopping"))
	default:
	}
	if s.config.Ready != nil {
		reasons = append(reasons, apart(s.config.Ready())...)
	}
	answer := readiness{Status: "ready"}
	if s.config.Status != nil {
		answer.More = s.config.Status()
	}
	status := http.StatusOK
	if len(reasons) > 0 {
		status, answer.Status = http.StatusServiceUnavailable, "not_ready"
		if slices.IndexFunc(reasons, whole) < 0 {
			answer.Status = "degraded"
			if len(allowed) > 0 {
				status = http.StatusOK
			}
		}
	}
	for _, reason := range reasons {
		answer.Reasons = append(answer.Reasons, reason.Error())
	}
	return WriteJSON(c, status, answer)
}

// whole reports whether an error concerns all that the process serves.
func whole(err error) bool {
	_, part := errors.AsType[interface {
		error
		Partial()
	}](err)
	return !part
}

// apart takes errors.Join apart.
func apart(err error) (errs []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		errs = append(errs, apart(e)...)
	}
	return errs
}
