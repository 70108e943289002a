package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/problem"
)

// guardedRouter lets requests through to a route that have the key which the table of package access asks for.
type guardedRouter struct {
	Router
	keys *access.Keys // nil: access is off
}

// Add implements Router.
func (r guardedRouter) Add(
	method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc,
) *echo.Route {
	need, ok := access.NeedOf(method, path)
	if !ok {
		panic("the table in pkg/access does not say who may use " + method + " " + path)
	}
	if r.keys != nil && !need.IsNothing() {
		handler = guarded(r.keys, need, method, handler)
	}
	return r.Router.Add(method, path, handler, middleware...)
}

// guarded calls a handler for requests whose key has the scopes.
func guarded(keys *access.Keys, need access.Need, method string, handler echo.HandlerFunc) echo.HandlerFunc {
	reads := method == http.MethodGet
	return func(c echo.Context) error {
		key, err := Authenticate(keys, c.Request().Header, need)
		if err != nil {
			challenge(c, err)
			return err
		}
		if !reads { // who asks matters to changes alone, and to remember it costs an allocation
			c.Set(keyMember, key)
		}
		return handler(c)
	}
}

// keyMember is the name of a request's key in its context.
const keyMember = "access.key"

// KeyOf is the key with which a request that may change something was let through; nil: access is off.
func KeyOf(c echo.Context) *access.Key {
	key, _ := c.Get(keyMember).(*access.Key)
	return key
}

// PrincipalOf is who asks: whom the header Holdfast-Actor names, which nobody has proved; where there is none, the name
// of the request's key. It is zero where the client says nothing and access is off.
func PrincipalOf(c echo.Context) (access.Principal, error) {
	header := c.Request().Header
	if len(header["Holdfast-Actor"]) == 0 {
		if key := KeyOf(c); key != nil {
			return key.Principal(), nil
		}
		return access.Principal{}, nil
	}
	name, err := OneValue(header, "Holdfast-Actor")
	if err != nil {
		return access.Principal{}, err
	}
	if fault := input.ActorFault(name); fault != "" {
		return access.Principal{}, problem.New(problem.InvalidActor, "The header Holdfast-Actor "+fault+".")
	}
	return access.Principal{Name: name}, nil
}

// Authenticate returns the key that the header Authorization has, if it has the scopes.
func Authenticate(keys *access.Keys, header http.Header, need access.Need) (*access.Key, error) {
	text, err := bearer(header)
	var key *access.Key
	if err == nil {
		key, err = keys.Find(text)
	}
	switch {
	case errors.Is(err, access.ErrNotRead):
		return nil, &problem.Problem{
			Code: problem.Unavailable, RetryAfterSeconds: 1, Detail: "The service starts, and reads the API keys.",
		}
	case err != nil:
		keys.Refused(err)
		return nil, Unauthenticated()
	case !need.Allows(key.Scopes):
		keys.Refused(access.ErrScope)
		return nil, InsufficientScope(need)
	}
	return key, nil
}

// Unauthenticated is the refusal of a request without a valid key. It does not tell what is wrong with the key.
func Unauthenticated() *problem.Problem {
	return problem.New(problem.Unauthenticated, "Send a valid API key: Authorization: Bearer hf_…")
}

// StillAllowed is nil while the key is valid of a request that was let through: its answer may go on for hours. Without
// keys, access is off.
func StillAllowed(keys *access.Keys, c echo.Context) error {
	if keys == nil {
		return nil
	}
	need, _ := access.NeedOf(c.Request().Method, c.Path())
	_, err := Authenticate(keys, c.Request().Header, need)
	if err != nil {
		challenge(c, err)
	}
	return err
}

// InsufficientScope is the refusal of what a key may not do.
func InsufficientScope(need access.Need) *problem.Problem {
	return &problem.Problem{
		Code: problem.InsufficientScope, Detail: "The API key needs the scope " + need.String() + ".",
		Scopes: need.Scopes().Names(),
	}
}

// bearer is the text of the key that a request has.
func bearer(header http.Header) (string, error) {
	values := header["Authorization"]
	if len(values) == 0 {
		return "", access.ErrMissing
	}
	const scheme = "Bearer "
	if len(values) > 1 || len(values[0]) < len(scheme) || !strings.EqualFold(values[0][:len(scheme)], scheme) {
		return "", access.ErrMalformed
	}
	return values[0][len(scheme):], nil
}

// challenge says on a refusal how to be let in (RFC 6750). It is the same for whatever is wrong with a key.
func challenge(c echo.Context, err error) {
	p, ok := errors.AsType[*problem.Problem](err)
	switch {
	case !ok:
	case p.Code == problem.Unauthenticated:
		c.Response().Header()["Www-Authenticate"] = []string{`Bearer realm="holdfast"`}
	case p.Code == problem.InsufficientScope:
		c.Response().Header()["Www-Authenticate"] = []string{
			`Bearer realm="holdfast", error="insufficient_scope", scope="` + strings.Join(p.Scopes, " ") + `"`,
		}
	}
}
