package eventlog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestAPlanIsHeldUntilItIsWithdrawn(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 1)
	ctx := logtest.Context(t)
	if plan, err := p.PlanOf(ctx); plan != nil || err != nil {
		t.Fatalf("before: %+v, %v", plan, err)
	}
	plan := eventlog.LayoutPlan{ID: uuid.New(), From: p.layout, To: p.layout.Next(3), By: "me@here"}
	if err := p.WritePlan(ctx, plan); err != nil {
		t.Fatal(err)
	}
	other, err := p.PlanOf(ctx)
	if err != nil || other == nil || other.Plan != plan {
		t.Fatalf("%+v, %v", other, err)
	}
	for _, says := range []string{"me@here is changing the layout from 1 to 3 shards", "void 5s after"} {
		if !strings.Contains(other.Error(), says) {
			t.Errorf("%q lacks %q", other, says)
		}
	}
	report := eventlog.Preparation{Plan: plan.ID, Replica: "r", LagRecords: 7}
	if err := p.ReportPreparation(ctx, report); err != nil {
		t.Fatal(err)
	}
	if err := p.WithdrawPlan(ctx, plan.ID); err != nil {
		t.Fatal(err)
	}
	if other, err := p.PlanOf(ctx); other != nil || err != nil {
		t.Errorf("afterwards: %+v, %v", other, err)
	}
	f, err := p.FollowLayout(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	layouts, plans, reports, withdrawn := 0, 0, 0, 0
	for withdrawn == 0 || layouts == 0 {
		news, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range news {
			switch {
			case n.Layout != nil && *n.Layout == p.layout:
				layouts++
			case n.Plan != nil && *n.Plan == plan:
				plans++
			case n.Preparation != nil && *n.Preparation == report:
				reports++
			case n.Withdrawn != nil && *n.Withdrawn == plan.ID:
				withdrawn++
			}
		}
	}
	if layouts != 1 || plans != 1 || reports != 1 || withdrawn != 1 {
		t.Errorf("%d layouts, %d plans, %d reports, %d withdrawn", layouts, plans, reports, withdrawn)
	}
	if err := p.WritePlan(ctx, eventlog.LayoutPlan{To: p.layout.Next(5)}); err == nil {
		t.Error("a plan with more shards than partitions")
	}
}

// Of two that change the layout from the same generation, one does. The other is told, and so is who does it twice.
func TestALayoutMovesOnce(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 1)
	ctx := logtest.Context(t)
	for range 2 {
		if err := p.MoveLayout(ctx, p.layout, p.layout.Next(3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.MoveLayout(ctx, p.layout, p.layout.Next(2)); !errors.Is(err, eventlog.ErrLayoutMoved) {
		t.Errorf("from a former layout: %v", err)
	}
	history, err := p.LayoutHistory(ctx)
	if err != nil || len(history) != 2 || history[1] != p.layout.Next(3) {
		t.Errorf("%+v, %v", history, err)
	}
}

func TestAGenerationHasItsGroup(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 2)
	ctx := logtest.Context(t)
	for generation, want := range map[uint32]string{0: "shards", 1: "shards", 2: "shards-g2"} {
		if got := eventlog.ShardGroup(generation); got != want {
			t.Errorf("generation %d: %s, want %s", generation, got, want)
		}
	}
	if members, err := p.Replicas(ctx, 2); err != nil || len(members) > 0 {
		t.Errorf("nobody has joined: %v, %v", members, err)
	}
	o, err := eventlog.JoinOwnership(p.cfg, eventlog.OwnershipOptions{Replica: "one", Group: eventlog.ShardGroup(2)})
	if err != nil {
		t.Fatal(err)
	}
	<-o.Events()
	members, err := p.Replicas(ctx, 2)
	if err != nil || len(members) != 1 || members[0].Replica != "one" {
		t.Errorf("%+v, %v", members, err)
	}
	if err := o.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if members, err := p.Replicas(ctx, 2); err != nil || len(members) > 0 {
		t.Errorf("it has left: %v, %v", members, err)
	}
}
