package catalog

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var layout = eventlog.Layout{PartitionCount: 1, ShardCount: 1}

// follow opens a catalogue that follows the log until the test ends, and waits until it is read.
func follow(t *testing.T, log *logtest.Log) *Catalog {
	t.Helper()
	c, err := Open(log.Config)
	if err != nil {
		t.Fatal(err)
	}
	log.Background(c.Run)
	if err := c.AwaitReady(log.Ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Catalog) describe(t *testing.T, name, description string) (created bool, code string) {
	t.Helper()
	want := inventory.DeclarePlace{Name: name, Description: description}
	is, created, err := c.Describe(logtest.Context(t), want, &eventv1.Principal{Name: "me"})
	refusal, refused := errors.AsType[*inventory.Error](err)
	switch {
	case refused:
		return created, refusal.Code
	case err != nil:
		t.Fatal(err)
	case is.Name != name || is.Description != description:
		t.Errorf("%+v", is)
	}
	return created, ""
}

// A platform that has declared no location takes any; once it has one, names are known or not, after a restart, too.
func TestLocationsAreDeclared(t *testing.T) {
	log := logtest.New(t, layout)
	c := follow(t, log)
	if is, retired := c.Place("Anywhere"); is != "Anywhere" || retired {
		t.Errorf("nothing was declared: %q, %v", is, retired)
	}
	if all := c.Locations(); len(all) != 1 || all[0].Name != "main" || !all[0].DeclaredAt.IsZero() {
		t.Errorf("%+v", all)
	}
	for _, step := range []struct {
		name, description string
		created           bool
		code              string
	}{
		{"berlin", "", true, ""},
		{"berlin", "", false, ""},
		{"berlin", "Storkower Straße", false, ""},
		{"Berlin", "", false, inventory.CodeLocationExists},
		{"Main", "", false, inventory.CodeLocationExists},
		{" berlin", "", false, inventory.CodeInvalidLocation},
	} {
		if created, code := c.describe(t, step.name, step.description); created != step.created || code != step.code {
			t.Errorf("%+v: %v, %q", step, created, code)
		}
	}
	end, err := log.Client.EndOffsets(log.Ctx, []eventlog.TopicPartition{{Topic: eventlog.TopicCatalog}})
	if written := end[eventlog.TopicPartition{Topic: eventlog.TopicCatalog}]; err != nil || written != 2 {
		t.Errorf("%d changes are in the topic, %v", written, err)
	}
	for what, c := range map[string]*Catalog{"here": c, "after a restart": follow(t, log)} {
		for name, want := range map[string]string{"main": "main", "BERLIN": "berlin", "berlin": "berlin", "hamburg": ""} {
			if is, retired := c.Place(name); is != want || retired {
				t.Errorf("%s: %q is %q, %v", what, name, is, retired)
			}
		}
		if all := c.Locations(); len(all) != 2 || all[0].Description != "Storkower Straße" || all[0].DeclaredAt.IsZero() {
			t.Errorf("%s: %+v", what, all)
		}
	}
}

// A location is retired and reopened; to do it again changes nothing, nor does another description.
func TestLocationsAreRetired(t *testing.T) {
	log := logtest.New(t, layout)
	c := follow(t, log)
	c.describe(t, "berlin", "")
	for _, retired := range []bool{true, true, false, false, true} {
		l, found, err := c.Retire(log.Ctx, "berlin", retired, nil)
		if _, is := c.Place("berlin"); err != nil || !found || l.Retired() != retired || is != retired {
			t.Errorf("%v: %+v, %v, %v", retired, l, found, err)
		}
	}
	if c.describe(t, "berlin", "closed"); !c.Locations()[0].Retired() {
		t.Error("a description reopens a location")
	}
	if _, found, err := c.Retire(log.Ctx, "Berlin", true, nil); found || err != nil {
		t.Errorf("a location of another name: %v, %v", found, err)
	}
	other := logtest.New(t, layout)
	mains := follow(t, other)
	if _, found, err := mains.Retire(other.Ctx, "main", true, nil); !found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if is, _ := mains.Place("hamburg"); is != "" {
		t.Error("main was retired, and any other name is a location still")
	}
}

// Of two replicas that declare names which differ in case alone at the same time, one is refused, and all readers
// agree.
func TestTheFirstOfTwoNamesCounts(t *testing.T) {
	log := logtest.New(t, layout)
	one, other := follow(t, log), follow(t, log)
	for i := range 50 {
		names := []string{fmt.Sprintf("berlin-%d", i), fmt.Sprintf("Berlin-%d", i)}
		var codes [2]string
		var racing sync.WaitGroup
		for k, c := range []*Catalog{one, other} {
			racing.Go(func() { _, codes[k] = c.describe(t, names[k], "") })
		}
		racing.Wait()
		if (codes[0] == "") == (codes[1] == "") || codes[0]+codes[1] != inventory.CodeLocationExists {
			t.Errorf("%v: %q", names, codes)
		}
	}
	third := follow(t, log)
	if len(third.Locations()) != 51 || fmt.Sprint(third.Locations()) != fmt.Sprint(follow(t, log).Locations()) {
		t.Errorf("%+v", third.Locations())
	}
}

// What is no change, and a change of a later release, is passed over.
func TestForeignRecordsArePassed(t *testing.T) {
	log := logtest.New(t, layout)
	log.Write(eventlog.TopicCatalog, 0, "x", []byte("no change"))
	log.Write(eventlog.TopicCatalog, 0, "x", nil)
	c := follow(t, log)
	if is, _ := c.Place("anywhere"); is != "anywhere" {
		t.Error("something was declared")
	}
	if _, code := c.describe(t, "berlin", ""); code != "" {
		t.Error(code)
	}
}
