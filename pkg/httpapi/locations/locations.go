// Package locations has the HTTP routes of the catalogue's locations. What a location is, and who may have which name,
// is owned by pkg/inventory and pkg/catalog.
package locations

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/catalog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// WriteTimeout bounds how long the log may take for a change of the catalogue.
const WriteTimeout = 10 * time.Second

type api struct{ catalog *catalog.Catalog }

// Register adds the routes.
func Register(router httpapi.Router, catalog *catalog.Catalog) {
	a := &api{catalog}
	router.Add(http.MethodGet, "/v1/locations", a.list)
	router.Add(http.MethodPut, "/v1/locations/:location", a.put)
	router.Add(http.MethodPost, "/v1/locations/:location/retirement", a.retire)
	router.Add(http.MethodPost, "/v1/locations/:location/retirement/reversal", a.reopen)
}

// locationJSON is a location as the API shows it.
type locationJSON struct {
	Location    string    `json:"location"`
	Description string    `json:"description,omitzero"`
	Retired     bool      `json:"retired"`
	DeclaredAt  time.Time `json:"declared_at,omitzero"`
	RetiredAt   time.Time `json:"retired_at,omitzero"`
}

func describe(l *catalog.Location) locationJSON {
	return locationJSON{l.Name, l.Description, l.Retired(), l.DeclaredAt, l.RetiredAt}
}

// list answers with all locations, by name. There are at most inventory.MaxPlaces, so it has no pages.
func (a *api) list(c echo.Context) error {
	if err := a.catalog.Ready(); err != nil {
		return unavailable(err)
	}
	page := struct {
		Items []locationJSON `json:"items"`
	}{[]locationJSON{}}
	for _, l := range a.catalog.Locations() {
		page.Items = append(page.Items, describe(&l))
	}
	return httpapi.WriteJSON(c, http.StatusOK, page)
}

func (a *api) put(c echo.Context) error {
	raw, err := httpapi.ReadBody(c)
	if err != nil {
		return err
	}
	by, err := a.begin(c)
	if err != nil {
		return err
	}
	want, err := readBody(raw, httpapi.PathParameter(c, "location"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), WriteTimeout)
	defer cancel()
	l, created, err := a.catalog.Describe(ctx, want, by)
	if err != nil {
		return refusalOf(err)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return httpapi.WriteJSON(c, status, describe(&l))
}

// readBody reads what the location is to be.
func readBody(raw []byte, name string) (inventory.DeclarePlace, error) {
	var b struct {
		Description string `json:"description"`
	}
	body := input.Body{JSON: raw}
	if !body.Read(&b) {
		return inventory.DeclarePlace{}, body.Problem()
	}
	want := inventory.DeclarePlace{
		Name: name, Description: body.Text("/description", b.Description, limits.MaxDescriptionLength),
	}
	return want, body.Problem()
}

func (a *api) retire(c echo.Context) error { return a.setRetired(c, true) }

func (a *api) reopen(c echo.Context) error { return a.setRetired(c, false) }

func (a *api) setRetired(c echo.Context, retired bool) error {
	by, err := a.begin(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), WriteTimeout)
	defer cancel()
	name := httpapi.PathParameter(c, "location")
	l, found, err := a.catalog.Retire(ctx, name, retired, by)
	switch {
	case err != nil:
		return refusalOf(err)
	case !found:
		return unknown(name, a.catalog)
	}
	return httpapi.WriteJSON(c, http.StatusOK, describe(&l))
}

// unknown answers that there is no such location, and names one that differs in upper and lower case alone.
func unknown(name string, catalog *catalog.Catalog) error {
	detail := "The catalogue has no location " + strconv.Quote(name) + "."
	if is, _ := catalog.Place(name); is != "" && is != name {
		detail = "There is no location " + strconv.Quote(name) + ", but " + strconv.Quote(is) + ": send the name as it is."
	}
	return &problem.Problem{Code: inventory.CodeUnknownLocation, Status: http.StatusNotFound, Detail: detail}
}

// begin says who asks for a change; an error where the catalogue is not known yet.
func (a *api) begin(c echo.Context) (*eventv1.Principal, error) {
	by, err := httpapi.PrincipalOf(c)
	if err != nil {
		return nil, err
	}
	if err := a.catalog.Ready(); err != nil {
		return nil, unavailable(err)
	}
	if by.Name == "" {
		return nil, nil
	}
	return &eventv1.Principal{Name: by.Name, Verified: by.Verified}, nil
}

// refusalOf is what a client is told of an error.
func refusalOf(err error) error {
	if refused, ok := errors.AsType[*inventory.Error](err); ok {
		return problem.New(refused.Code, refused.Detail)
	}
	return unavailable(err)
}

func unavailable(err error) error {
	return &problem.Problem{
		Code: problem.Unavailable, RetryAfterSeconds: 1, Reason: err,
		Detail: "The catalogue cannot be read or written now; send the request again, which does nothing twice.",
	}
}
