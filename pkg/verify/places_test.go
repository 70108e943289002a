package verify_test

import (
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Goods that came to a location which nobody declared are found, unless no location was declared then, as far as the
// program that took them could know.
func TestGoodsAtUnknownLocationsAreFound(t *testing.T) {
	const byCommand = eventv1.Cause_CAUSE_COMMAND
	for name, test := range map[string]struct {
		location string
		cause    eventv1.Cause
		declared []string
		before   time.Duration // from the first declaration to the receipt
		want     bool
		checked  bool
	}{
		"nothing is declared":           {location: "south"},
		"it is declared":                {"south", byCommand, []string{"north", "south"}, time.Hour, false, true},
		"main is known":                 {"main", byCommand, []string{"north"}, time.Hour, false, true},
		"it is not declared":            {"south", byCommand, []string{"north"}, time.Hour, true, true},
		"it differs in case":            {"North", byCommand, []string{"north", "North"}, time.Hour, true, true},
		"it came before":                {"south", byCommand, []string{"north"}, -time.Hour, false, true},
		"a replica did not know of it":  {"south", byCommand, []string{"north"}, time.Second, false, true},
		"it follows from a former step": {"south", eventv1.Cause_CAUSE_SAGA, []string{"north"}, time.Hour, false, true},
	} {
		s := healthy()
		s.received().Location, s.stock[1].Locations[0].Location = test.location, test.location
		s.stock[1].Meta.Cause = test.cause
		log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
		records := s.records(t, log.Layout)
		for _, location := range test.declared {
			change := &eventv1.CatalogChange{
				ChangedAtMicros: s.stock[1].Meta.RecordedAtMicros - test.before.Microseconds(),
				Change: &eventv1.CatalogChange_LocationDescribed{
					LocationDescribed: &eventv1.LocationDescribed{Location: location},
				},
			}
			value, err := change.MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, &eventlog.Record{
				TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicCatalog}, Value: value,
			})
		}
		if err := log.Client.Produce(log.Ctx, records); err != nil {
			t.Fatal(err)
		}
		report, err := verify.Run(log.Ctx, log.Client, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, inv := range report.Invariants {
			if inv.ID == verify.Places && (inv.Violations > 0 != test.want || inv.Checked > 0 != test.checked) {
				t.Errorf("%s: %+v", name, inv)
			}
		}
	}
}

// A platform of a release that did not know the catalogue has no topic for it.
func TestAPlatformWithoutACatalogueIsVerified(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	if err := log.Client.Produce(log.Ctx, healthy().records(t, log.Layout)); err != nil {
		t.Fatal(err)
	}
	log.DeleteTopic(eventlog.TopicCatalog)
	report, err := verify.Run(log.Ctx, log.Client, verify.Options{})
	if err != nil || !report.Clean() {
		t.Fatalf("%v: %v", err, violated(report))
	}
	for _, inv := range report.Invariants {
		if inv.ID == verify.Places && inv.Note == "" {
			t.Errorf("it does not say that it was not checked: %+v", inv)
		}
	}
}
