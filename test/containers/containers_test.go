// Package containers_test runs the images of this repository in containers, as docker-compose.yml has them: with the
// published images of Apache Kafka and ClickHouse, or stand-ins where these cannot be pulled. `make test-containers`
// builds the images and finds an engine. platform_test.go has the containers, images_test.go the images of Kafka and
// ClickHouse; image_test.go looks at those of this repository.
package containers_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/verify"
	"github.com/holdfast/holdfast/test/standins"
)

// versionEnv has the version of the images to run. make test-containers sets it.
const versionEnv = "HOLDFAST_TEST_IMAGES"

// programs are the programs that have an image, by their service in docker-compose.yml.
var programs = map[string]string{
	"order-api": "order-api", "inventory-projector": "inventory-projector", "analytics-projector": "analytics-projector",
	"query-api": "query-api", "auditor": "holdfast",
}

// imagesOfThisBuild are the images to test, by service.
func imagesOfThisBuild(t *testing.T) map[string]string {
	t.Helper()
	version := os.Getenv(versionEnv)
	if version == "" {
		t.Skip("it needs a Docker engine and images of this checkout: make test-containers")
	}
	images := map[string]string{}
	for service, program := range programs {
		images[service] = "holdfast/" + program + ":" + version
	}
	return images
}

// TestMain sets what testcontainers-go reads once. Its reaper is an image of its own, which may not be there to pull:
// newPlatform removes what an earlier run has left. Ports are published on loopback, also where tests run in a
// container.
func TestMain(m *testing.M) {
	for variable, value := range map[string]string{
		"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1",
	} {
		if err := os.Setenv(variable, value); err != nil {
			panic(err)
		}
	}
	tclog.SetDefault(tclog.NewNoopLogger()) // the tests say themselves what they wait for
	m.Run()
}

const insight = `name: units_by_country
description: Units that were sold, by country.
source: sales
keys: {country: country}
measures: {units: sum(quantity)}
`

// Given the platform in containers, when orders are placed while order-api is killed, and then analytics-projector in
// a replay, then every order that was acknowledged is there: as an order, in availability, in revenue, in the insight.
// And the log holds all invariants.
func TestAPlatformInContainersLosesNothing(t *testing.T) {
	images := imagesOfThisBuild(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	p := newPlatform(ctx, t)
	p.start(ctx, map[string]string{
		"kafka":      available(t, p.services["kafka"].Image, standIn{"kafka", kafkaStandIn}),
		"clickhouse": available(t, p.services["clickhouse"].Image, standIn{"clickhouse", standins.ClickHouse}),
	})
	log := p.log()
	p.await(ctx, "Kafka answers", func() error { return log.Ping(ctx) })
	p.start(ctx, images)

	commands := client.New("http://" + p.address("order-api"))
	queries := client.New("http://" + p.address("query-api"))
	p.receive(ctx, commands)
	l := p.startLoad(ctx, commands)
	l.awaitMore(ctx, ordersBetween)
	p.kill(ctx, "order-api")
	l.awaitMore(ctx, ordersBetween)

	replay, err := queries.CreateReplay(ctx, client.CreateReplay{Definition: insight, Promote: true, Source: "kafka"})
	if err != nil {
		t.Fatal(err)
	}
	p.kill(ctx, "analytics-projector")
	l.awaitMore(ctx, ordersBetween)
	l.stop()
	t.Logf("%d orders were acknowledged", len(l.orders))

	p.expectOrders(ctx, queries, l)
	p.expectAvailability(ctx, queries, l)
	p.expectRevenue(ctx, queries, l)
	p.expectInsight(ctx, queries, l, replay.Value.ReplayID)

	report, err := verify.Run(ctx, log, verify.Options{
		Acks: strings.NewReader(l.acks.String()), ClickHouse: p.clickHouse(), ViewWait: patience, Settled: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, invariant := range report.Invariants {
		if invariant.Violations > 0 {
			t.Errorf("%s %s: %d of %d: %v", invariant.ID, invariant.Name, invariant.Violations, invariant.Checked,
				invariant.Examples)
		}
	}
	t.Logf("%d events, %d orders verified", report.Events, report.Orders)
}

// clickHouse is the mirror, from this machine.
func (p *platform) clickHouse() string {
	environment := p.services["clickhouse"].Environment
	return fmt.Sprintf("http://%s:%s@%s/%s", environment["CLICKHOUSE_USER"], environment["CLICKHOUSE_PASSWORD"],
		p.address("clickhouse"), environment["CLICKHOUSE_DB"])
}

// expectOrders looks at every order that was acknowledged.
func (p *platform) expectOrders(ctx context.Context, queries *client.Client, l *load) {
	p.t.Helper()
	for id, position := range l.orders {
		order, err := queries.Order(ctx, id, client.After(position))
		if err != nil {
			p.t.Fatalf("order %s was acknowledged: %v", id, err)
		}
		if order.Value.Status != client.OrderStatusConfirmed {
			p.t.Errorf("order %s is %s", id, order.Value.Status)
		}
	}
}

// expectAvailability waits until what can be sold is what came in less what was ordered.
func (p *platform) expectAvailability(ctx context.Context, queries *client.Client, l *load) {
	p.t.Helper()
	for _, line := range lines {
		want := received - int64(len(l.orders))*int64(line.Quantity)
		p.await(ctx, "availability of "+line.SKU, func() error {
			row, err := queries.Availability(ctx, line.SKU)
			if err == nil && row.Value.Available != want {
				err = fmt.Errorf("%d, want %d", row.Value.Available, want)
			}
			return err
		})
	}
}

// expectRevenue waits until revenue has every order.
func (p *platform) expectRevenue(ctx context.Context, queries *client.Client, l *load) {
	p.t.Helper()
	n := int64(len(l.orders))
	want := fmt.Sprintf("%d.%02d", n*orderPence/100, n*orderPence%100)
	began := time.Now()
	p.await(ctx, "revenue", func() error {
		page, err := queries.Revenue(ctx, client.ReportFilter{By: "country"})
		if err != nil {
			return err
		}
		if rows := page.Value.Items; len(rows) != 1 || rows[0].Orders != n || rows[0].Revenue != want {
			return fmt.Errorf("%+v, want %d orders and %s", rows, n, want)
		}
		return nil
	})
	p.t.Logf("revenue of %s after %.1f s", want, time.Since(began).Seconds())
}

// expectInsight waits until the replay is live, and its answer has every order.
func (p *platform) expectInsight(ctx context.Context, queries *client.Client, l *load, replayID string) {
	p.t.Helper()
	p.await(ctx, "the replay is live", func() error {
		replay, err := queries.Replay(ctx, replayID)
		if err == nil && replay.Value.Phase != client.ReplayPhaseLive {
			err = fmt.Errorf("it is %s", replay.Value.Phase)
		}
		return err
	})
	units := int64(0)
	for _, line := range lines {
		units += int64(line.Quantity)
	}
	want := fmt.Sprint(units * int64(len(l.orders)))
	p.await(ctx, "the answer of the insight", func() error {
		page, err := queries.Ask(ctx, "units_by_country", client.Question{})
		if err != nil {
			return err
		}
		if rows := page.Value.Items; len(rows) != 1 || rows[0]["units"] == nil || string(*rows[0]["units"]) != want {
			return fmt.Errorf("%v, want %s units", rows, want)
		}
		return nil
	})
}
