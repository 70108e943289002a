// Package keys has the HTTP routes that make, list and revoke API keys. What a key is and may do is owned by
// pkg/access.
package keys

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/problem"
)

// WriteTimeout bounds how long the log may take for a change of a key.
const WriteTimeout = 10 * time.Second

type api struct{ keys *access.Keys }

// Register adds the routes. Where keys is nil, access is off, and they are refused: whoever reaches a service that asks
// nobody for a key could make one, and use it once access is on.
func Register(router httpapi.Router, keys *access.Keys) {
	a := &api{keys}
	add := func(method, path string, handler echo.HandlerFunc) {
		if keys == nil {
			handler = refuse
		}
		router.Add(method, path, handler)
	}
	add(http.MethodPost, "/v1/keys", a.create)
	add(http.MethodGet, "/v1/keys", a.list)
	add(http.MethodDelete, "/v1/keys/:key_id", a.revoke)
}

func refuse(echo.Context) error {
	return problem.New(problem.AccessOff, "The service runs with --access off. Use holdfast keys.")
}

// keyJSON is a key as the API shows it.
type keyJSON struct {
	ID        string         `json:"key_id"`
	Name      string         `json:"name"`
	Scopes    []string       `json:"scopes"`
	Status    access.Status  `json:"status"`
	CreatedAt time.Time      `json:"created_at"`
	CreatedBy *principalJSON `json:"created_by,omitzero"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"`
	RevokedAt time.Time      `json:"revoked_at,omitzero"`
	RevokedBy *principalJSON `json:"revoked_by,omitzero"`
	// Key is the key itself, in the answer that makes it and nowhere else.
	Key string `json:"key,omitzero"`
}

type principalJSON struct {
	Name     string `json:"name"`
	Verified bool   `json:"verified"`
	KeyID    string `json:"key_id,omitzero"`
}

func describe(key *access.Key) keyJSON {
	return keyJSON{
		ID: key.ID, Name: key.Name, Scopes: key.Scopes.Names(), Status: key.Status(time.Now()),
		CreatedAt: key.CreatedAt, CreatedBy: principalOf(key.CreatedBy), ExpiresAt: key.ExpiresAt,
		RevokedAt: key.RevokedAt, RevokedBy: principalOf(key.RevokedBy),
	}
}

func principalOf(p access.Principal) *principalJSON {
	if p.Name == "" {
		return nil
	}
	return &principalJSON{p.Name, p.Verified, p.KeyID}
}

// list answers with all keys, the oldest first. There are few, so it has no pages.
func (a *api) list(c echo.Context) error {
	page := struct {
		Items []keyJSON `json:"items"`
	}{[]keyJSON{}}
	for _, key := range a.keys.All() {
		page.Items = append(page.Items, describe(key))
	}
	return httpapi.WriteJSON(c, http.StatusOK, page)
}

// newKey is the body of POST /v1/keys.
type newKey struct {
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	ExpiresAt *string  `json:"expires_at"`
}

func (a *api) create(c echo.Context) error {
	n, err := a.readRequest(c)
	if err != nil {
		return err
	}
	if lacks := n.Scopes &^ httpapi.KeyOf(c).Scopes; lacks != 0 {
		refusal := httpapi.InsufficientScope(access.Need{lacks})
		refusal.Detail = "A key gives others no scope that it lacks: " + strings.Join(lacks.Names(), ", ") + "."
		return refusal
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), WriteTimeout)
	defer cancel()
	text, key, err := a.keys.Create(ctx, n)
	if err != nil {
		return refusalOf(err)
	}
	shown := describe(key)
	shown.Key = text
	c.Response().Header()["Cache-Control"] = []string{"no-store"}
	return httpapi.WriteJSON(c, http.StatusCreated, shown)
}

// readRequest reads a request for a key. Whoever asks is the key of the request, whatever Holdfast-Actor says: so the
// keys are found that a stolen one has made.
func (a *api) readRequest(c echo.Context) (access.NewKey, error) {
	var n access.NewKey
	raw, err := httpapi.ReadBody(c)
	if err != nil {
		return n, err
	}
	header := c.Request().Header
	if n.Request, err = httpapi.OneValue(header, "Idempotency-Key"); err != nil {
		return n, err
	}
	if len(header["Idempotency-Key"]) == 0 {
		return n, problem.New(problem.KeyRequired, "Send an Idempotency-Key that you keep for retries of this request.")
	}
	if fault := input.KeyFault(n.Request); fault != "" {
		return n, problem.New(problem.InvalidKey, fault)
	}
	by := httpapi.KeyOf(c)
	if !a.keys.IsValid(by) { // it may have been revoked while the body came
		return n, httpapi.Unauthenticated()
	}
	n.By = by.Principal()
	return n, readBody(raw, &n)
}

// readBody reads what the key is to be.
func readBody(raw []byte, n *access.NewKey) error {
	var b newKey
	body := input.Body{JSON: raw}
	if !body.Read(&b) {
		return body.Problem()
	}
	n.Name = b.Name
	if n.Name == "" {
		body.Missing("/name")
	}
	if len(b.Scopes) == 0 {
		body.Missing("/scopes")
	}
	var err error
	if n.Scopes, err = access.ParseScopes(b.Scopes); err != nil {
		body.Fault(problem.InvalidAPIKey, "/scopes", err.Error())
	}
	if b.ExpiresAt != nil {
		var valid bool
		if n.ExpiresAt, valid = input.ParseTime(*b.ExpiresAt); !valid || n.ExpiresAt.IsZero() { // zero is never
			body.Fault(problem.InvalidAPIKey, "/expires_at", "must be a time as RFC 3339 has it, like 2027-03-01T00:00:00Z")
		}
	}
	if !body.Sound() {
		return body.Problem()
	}
	if fault, ok := errors.AsType[*access.Fault](n.Check(time.Now())); ok {
		body.Fault(problem.InvalidAPIKey, "/"+fault.Member, fault.Text)
	}
	return body.Problem()
}

func (a *api) revoke(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), WriteTimeout)
	defer cancel()
	found, err := a.keys.Revoke(ctx, httpapi.PathParameter(c, "key_id"), httpapi.KeyOf(c).Principal())
	switch {
	case err != nil:
		return refusalOf(err)
	case !found:
		return problem.New(problem.UnknownAPIKey, "No key has this ID.")
	}
	return c.NoContent(http.StatusNoContent)
}

// refusalOf is what a client is told of an error.
func refusalOf(err error) error {
	if repeated, ok := errors.AsType[*access.RepeatedError](err); ok {
		return problem.New(problem.APIKeyExists, repeated.Error())
	}
	if full, ok := errors.AsType[*access.TooManyKeysError](err); ok {
		return problem.New(problem.TooManyAPIKeys, full.Error())
	}
	return &problem.Problem{
		Code: problem.Unavailable, RetryAfterSeconds: 1, Reason: err,
		Detail: "The change could not be written, or was written and not read yet: list the keys, and try again.",
	}
}
