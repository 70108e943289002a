package stack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// Any name makes a location until one is declared, and from then on an unknown one is refused, with the name that there
// is where the two differ in case alone. Another replica knows the same.
func TestLocationsAreDeclaredOverHTTP(t *testing.T) {
	log := logtest.Config(t)
	one, other := startOn(t, log, 2), startOn(t, log, 2)
	ctx, api := logtest.Context(t), client.New(one.URL())
	for _, sku := range []string{"A", "B", "C", "D"} {
		register(t, one, sku)
	}
	receive := func(sku, location string) error {
		_, err := api.ReceiveStock(ctx, sku, client.ReceiveStock{Location: location, Quantity: 1})
		return err
	}
	if err := receive("A", "anywhere"); err != nil {
		t.Fatal(err)
	}
	put, err := api.PutLocation(ctx, "berlin", client.PutLocation{Description: "Storkower Straße"})
	if err != nil || put.Status != http.StatusCreated || put.Value.Location != "berlin" {
		t.Fatalf("%+v, %v", put, err)
	}
	if put, err = api.PutLocation(ctx, "berlin", client.PutLocation{}); err != nil || put.Status != http.StatusOK {
		t.Errorf("%+v, %v", put, err)
	}
	for _, err := range []error{receive("A", "anywhere"), receive("A", ""), receive("A", "berlin")} {
		if err != nil {
			t.Error(err)
		}
	}
	agree(t, one, other)
	for _, sku := range []string{"B", "C", "D"} { // whichever replica owns their shards
		if err := receive(sku, "Berlin"); codeOf(err) != "unknown_location" || !strings.Contains(err.Error(), `"berlin"`) {
			t.Errorf("%s: %v", sku, err)
		}
		if err := receive(sku, "anywhere"); codeOf(err) != "unknown_location" {
			t.Errorf("%s: %v", sku, err)
		}
	}
	if _, err := api.PutLocation(ctx, "Berlin", client.PutLocation{}); codeOf(err) != "location_exists" {
		t.Error(err)
	}
	if _, err := api.PutLocation(ctx, "ber\u200blin", client.PutLocation{}); codeOf(err) != "invalid_location" {
		t.Error(err)
	}
	long := client.PutLocation{Description: strings.Repeat("x", 2000)}
	if _, err := api.PutLocation(ctx, "berlin", long); codeOf(err) != "invalid_description" {
		t.Error(err)
	}
	_, err = api.RetireLocation(ctx, "Berlin")
	if codeOf(err) != "unknown_location" || err.(*client.Problem).Status != http.StatusNotFound {
		t.Error(err)
	}
	for range 2 {
		if is, err := api.RetireLocation(ctx, "berlin"); err != nil || !is.Value.Retired {
			t.Errorf("%+v, %v", is, err)
		}
	}
	agree(t, one, other)
	if err := receive("A", "berlin"); codeOf(err) != "location_retired" {
		t.Error(err)
	}
	if is, err := api.ReopenLocation(ctx, "berlin"); err != nil || is.Value.Retired {
		t.Errorf("%+v, %v", is, err)
	}
	list, err := api.Locations(ctx)
	if err != nil || len(list.Value.Items) != 2 || list.Value.Items[0].Location != "berlin" {
		t.Errorf("%+v, %v", list, err)
	}
}

// agree waits until two replicas know the same locations.
func agree(t *testing.T, one, other *Stack) {
	t.Helper()
	ctx := logtest.Context(t)
	for locationsOf(ctx, one) != locationsOf(ctx, other) {
		if err := backoff.Sleep(ctx, 5*time.Millisecond); err != nil {
			t.Fatalf("%s and %s", locationsOf(ctx, one), locationsOf(ctx, other))
		}
	}
}

func locationsOf(ctx context.Context, s *Stack) string {
	list, err := client.New(s.URL()).Locations(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(list.Value.Items)
}
