//go:build !noembedded

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
	"github.com/holdfast/holdfast/cmd/holdfast/internal/stack"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/service"
)

// demoSeed makes the generated retailer the same on every machine.
const demoSeed = 20_240_229

const (
	// maxQueried is how many SKUs are asked for in one request.
	maxQueried = 1_000
	// bestSellers is how many SKUs are shown.
	bestSellers = 6
)

// demo is one run: the platform, what was imported, and where its output goes.
type demo struct {
	devFlags
	file   string
	orders int
	out    io.Writer
	errOut io.Writer
	stack  *stack.Stack
	client *client.Client
	book   *retail.Book
	result *retail.Reconciliation
	// imported is the position that has everything which was imported.
	imported string
	// keep means that the directory is not removed at the end.
	keep bool
	// inStock are the SKUs that can be bought after the import, best sellers first.
	inStock []client.Availability
}

func newDemoCommand() *cobra.Command {
	d := &demo{}
	var exit bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Import a year of orders and show what Holdfast does",
		Long: `Start the embedded platform, import a year of orders, show stock, an order that
is refused because there is too little of it, the reconciliation of what was
imported with the log and with ClickHouse, and revenue by month. Then ask what
nobody had asked before: an insight is computed over the year, verified against
the log, and made live. Then stay up.

The orders are those of a generated retailer, or of a file of the UCI Online
Retail data set.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if !cmd.Flags().Changed("listen") {
				d.listen = freeAddress(d.listen)
			}
			if !cmd.Flags().Changed("admin-listen") && d.adminListen != service.AdminOff {
				d.adminListen = freeAddress(d.adminListen)
			}
			if !cmd.Flags().Changed("kafka-listen") {
				d.kafkaListen = freeAddress(d.kafkaListen)
			}
			if !cmd.Flags().Changed("clickhouse-listen") {
				d.clickHouseListen = freeAddress(d.clickHouseListen)
			}
			return d.run(cmd, exit)
		},
	}
	d.add(c, "")
	c.Flags().Lookup("dir").Usage = "`FOLDER` of all data (default: a temporary one, deleted at the end)"
	c.Flags().StringVar(&d.file, "data", "", "`FILE` of the data set: .csv, .gz or .xz (default: a generated retailer)")
	c.Flags().IntVar(&d.orders, "orders", 20_000, "how many orders the generated retailer has")
	c.Flags().BoolVar(&exit, "exit", false, "end instead of staying up; the status is 0 only if everything reconciled")
	return c
}

// freeAddress is the address, or one with a free port when another program listens there.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return address
}

func (d *demo) run(cmd *cobra.Command, exit bool) error {
	ctx := cmd.Context()
	d.keep = d.dir != ""
	if !d.keep {
		dir, err := os.MkdirTemp("", "holdfast-demo-")
		if err != nil {
			return fmt.Errorf("demo directory: %w", err)
		}
		defer os.RemoveAll(dir)
		d.dir = dir
	}
	begin := time.Now()
	d.heading("Start")
	stack, err := d.start(cmd)
	if err != nil {
		return err
	}
	d.stack, d.client = stack, client.New(stack.URL())
	fmt.Fprintf(d.out, "  The whole platform runs in this process, ready in %.1f s.\n  Its log: %s\n",
		time.Since(begin).Seconds(), filepath.Join(d.dir, logName))
	if err := d.show(ctx); err != nil {
		return errors.Join(err, stack.Close())
	}
	reconciled := d.result.OK()
	if exit {
		fmt.Fprintf(d.out, "\nThe demo took %.0f s.\n", time.Since(begin).Seconds())
		err = stack.Close()
	} else {
		d.farewell()
		err = stayUp(ctx, d.out, stack)
	}
	if err == nil && !reconciled {
		return exitStatus(1)
	}
	return err
}

func (d *demo) heading(text string) { fmt.Fprintf(d.out, "\n%s\n\n", text) }

// show goes through the demo's chapters.
func (d *demo) show(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{
		d.importBook,
		d.availability,
		d.oversell,
		d.reconciliation,
		d.revenue,
		d.insight,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) importBook(ctx context.Context) error {
	log, err := eventlog.Open(d.stack.Log())
	if err != nil {
		return err
	}
	defer log.Close()
	if d.file != "" {
		d.heading("Import " + d.file)
		d.book, err = retail.ReadFile(d.file)
	} else {
		d.heading(fmt.Sprintf("Import a generated retailer: one year, %s orders", count(int64(d.orders))))
		d.book, err = generatedBook(d.orders)
	}
	if err != nil {
		return err
	}
	job := importJob{book: d.book, client: d.client, log: log, out: d.out, progress: d.errOut}
	if address := d.stack.ClickHouse(); address != "" {
		conn, err := openClickHouse(ctx, address)
		if err != nil {
			return err
		}
		defer conn.Close()
		job.mirror = analytics.NewReports(conn)
	}
	if d.keep {
		job.rejects = filepath.Join(d.dir, "rejects.csv")
	}
	if d.result, err = job.run(ctx); err != nil {
		return err
	}
	platform, err := log.Identity(ctx)
	d.imported = platform.Incarnation.Text(d.result.Logged.Position)
	return err
}

// generatedBook generates a retailer. It writes and reads it as CSV, so that the demo uses the same code as a file.
func generatedBook(orders int) (*retail.Book, error) {
	records := retail.Generate(retail.GeneratorConfig{Seed: demoSeed, Orders: orders})
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(retail.WriteCSV(writer, records)) }()
	return retail.Read(reader)
}

// topSKUs are all SKUs, best sellers first, and how many units of each were sold.
func (d *demo) topSKUs() ([]string, map[string]int64) {
	sold := map[string]int64{}
	for _, document := range d.book.Documents {
		for _, l := range document.Lines {
			if document.Kind == retail.KindOrder {
				sold[l.SKU] += l.Quantity
			}
		}
	}
	skus := make([]string, 0, len(d.book.Items))
	for _, item := range d.book.Items {
		skus = append(skus, item.SKU)
	}
	slices.SortStableFunc(skus, func(a, b string) int { return int(sold[b] - sold[a]) })
	return skus, sold
}

func (d *demo) availability(ctx context.Context) error {
	skus, sold := d.topSKUs()
	answer, err := d.client.Availabilities(ctx, skus[:min(maxQueried, len(skus))], client.After(d.imported))
	if err != nil {
		return fmt.Errorf("availability: %w", err)
	}
	for _, a := range answer.Value.Items {
		if a.Available > 0 {
			d.inStock = append(d.inStock, a)
		}
	}
	d.heading("Availability of the best sellers that are in stock after the last day")
	t := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "  SKU\tsold\ton hand\tavailable\tversion\t\n")
	for _, a := range d.inStock[:min(bestSellers, len(d.inStock))] {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%d\t  %s\n",
			a.SKU, count(sold[a.SKU]), count(a.OnHand), count(a.Available), a.Version, a.Description)
	}
	return t.Flush()
}

// oversell orders one unit more than there is, which must be refused.
func (d *demo) oversell(ctx context.Context) error {
	if len(d.inStock) == 0 {
		return errors.New("nothing is in stock after the import")
	}
	item := d.inStock[0]
	d.heading(fmt.Sprintf("An order for one %s more than the %s there are", item.SKU, count(item.Available)))
	_, err := d.client.PlaceOrder(ctx, client.PlaceOrder{
		CustomerID: "demo", Currency: retail.Currency,
		Lines: []client.OrderLine{{SKU: item.SKU, Quantity: item.Available + 1, UnitPrice: "1.00"}},
	})
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || len(problem.Short) == 0 {
		return fmt.Errorf("the oversell was not refused as it should be: %w", err)
	}
	short := problem.Short[0]
	fmt.Fprintf(d.out, "  POST /v1/orders\n  → %d %s: %s\n    %s: %s wanted, %s available\n",
		problem.Status, problem.Code, problem.Detail, short.SKU, count(short.Requested), count(short.Available))
	return nil
}

func (d *demo) reconciliation(context.Context) error {
	d.heading("Reconciliation: the file against the log, read from its start, and against ClickHouse")
	return d.result.WriteText(d.out)
}

// revenue shows the API's report, or without ClickHouse the figures that the reconciliation has read from the log.
func (d *demo) revenue(ctx context.Context) error {
	bars, source := d.loggedRevenue(), "from the log"
	if d.stack.ClickHouse() != "" {
		var err error
		if bars, err = d.reportedRevenue(ctx); err != nil {
			return err
		}
		source = "GET /v1/reports/revenue?by=month"
	}
	d.heading("Revenue by month, " + retail.Currency + ", credit notes taken off: " + source)
	return retail.WriteChart(d.out, bars)
}

func (d *demo) loggedRevenue() []retail.Bar {
	var bars []retail.Bar
	for _, month := range retail.MonthNames(d.result.Logged.Documents) {
		bars = append(bars, retail.Bar{Name: month, Micros: d.result.Logged.Documents.Months[month].Micros})
	}
	return bars
}

func (d *demo) reportedRevenue(ctx context.Context) ([]retail.Bar, error) {
	filter := client.ReportFilter{By: string(client.RevenueByMonth), Currency: retail.Currency, Zone: "UTC"}
	answer, err := d.client.Revenue(ctx, filter, client.After(d.imported))
	if err != nil {
		return nil, fmt.Errorf("revenue: %w", err)
	}
	var bars []retail.Bar
	for _, row := range answer.Value.Items {
		micros, err := money.Parse(row.Revenue)
		if err != nil {
			return nil, err
		}
		bars = append(bars, retail.Bar{Name: row.Month, Micros: micros})
	}
	return bars, nil
}

func (d *demo) farewell() {
	base := d.stack.URL()
	d.heading("Now you")
	fmt.Fprintf(d.out, `  API    %s
  Kafka  %s

  curl '%s/v1/availability/%s'
  curl '%s/v1/orders?status=completed&limit=3'
`, base, strings.Join(d.stack.KafkaSeeds(), ","), base, url.PathEscape(d.inStock[0].SKU), base)
	if d.stack.ClickHouse() != "" {
		fmt.Fprintf(d.out, `  curl '%s/v1/reports/revenue?by=country' -H 'Accept: text/csv'
  curl '%s/v1/insights/baskets_by_weekday?order=-units' -H 'Accept: text/csv'
  bin/holdfast insight ls --url %s

  docs/insights.md says how to ask a question of your own.
`, base, base, base)
	}
	fmt.Fprint(d.out, "\nCtrl-C stops it.\n")
}
