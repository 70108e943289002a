package retail

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"time"
)

// GeneratorConfig describes a generated retailer. Zero values mean the defaults.
type GeneratorConfig struct {
	// Seed determines the rows: the same configuration generates the same ones.
	Seed uint64
	// Orders is the number of invoices, without credit notes and adjustments. The default is 20,000.
	Orders int
	// SKUs and Customers are the numbers to choose from. The defaults are 1,200 and 2,500.
	SKUs, Customers int
}

// zipf draws numbers below its length by Zipf's law: the frequency of i is proportional to 1/(i+flatness). Its elements
// are running sums. They are integers, because the last digits of floating point differ between processors.
type zipf []int64

func newZipf(n, flatness int) zipf {
	sums := make(zipf, n)
	var sum int64
	for i := range sums {
		sum += 1_000_000_000 / int64(i+flatness)
		sums[i] = sum
	}
	return sums
}

func (s zipf) draw(rng *rand.Rand) int {
	at := rng.Int64N(s[len(s)-1])
	return sort.Search(len(s), func(i int) bool { return s[i] > at })
}

// geometric draws a number with a geometric distribution of the given mean.
func geometric(rng *rand.Rand, mean int) int {
	n := 0
	for rng.IntN(mean+1) != 0 {
		n++
	}
	return n
}

// generator generates rows in the data set's form.
type generator struct {
	cfg       GeneratorConfig
	rng       *rand.Rand
	skus      []Item
	prices    []int // pence
	popular   zipf
	loyal     zipf
	invoice   int
	records   [][]string
	countries []string // by customer
}

// Generate generates a year of a retailer's invoices as CSV records under Columns, in order of time. A few SKUs have
// most of the sales, most sales are in autumn, some goods come back, some are lost, and there is one bad-debt entry
// that an import refuses.
func Generate(cfg GeneratorConfig) [][]string {
	if cfg.Orders <= 0 {
		cfg.Orders = 20_000
	}
	if cfg.SKUs <= 0 {
		cfg.SKUs = 1_200
	}
	if cfg.Customers <= 0 {
		cfg.Customers = 2_500
	}
	g := &generator{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x486f6c6466617374)), invoice: 600_000}
	g.popular = newZipf(cfg.SKUs, 12)
	g.loyal = newZipf(cfg.Customers, 30)
	g.makeItems()
	g.makeCustomers()
	g.makeYear()
	return g.records
}

var (
	itemColours = []string{
		"RED", "IVORY", "SKY BLUE", "SAGE GREEN", "ROSE", "SILVER", "OAK", "VINTAGE", "STRIPED", "SPOTTED",
	}
	itemThings = []string{
		"TEA TOWEL", "LANTERN", "MUG", "CAKE TIN", "PHOTO FRAME", "CANDLE", "CUSHION", "DOORSTOP", "LUNCH BOX",
		"WALL CLOCK", "GARLAND", "NOTEBOOK", "SOAP DISH", "BOTTLE OPENER", "UMBRELLA",
	}
	itemOccasions = []string{
		"", "", "", " SET OF 3", " SET OF 6", " SMALL", " LARGE", " CHRISTMAS", " GARDEN", " TRAVEL",
	}
)

// pricePoints are in pence; most goods are cheap.
var pricePoints = []int{
	29, 42, 55, 65, 85, 85, 85, 125, 125, 125, 145, 165, 165, 165, 195, 195, 210, 255, 255, 295, 295, 375, 415, 495, 595,
	795, 850, 1_275, 1_695, 2_495, 3_995,
}

func (g *generator) makeItems() {
	for i := range g.cfg.SKUs {
		name := pick(g.rng, itemColours) + " " + pick(g.rng, itemThings) + pick(g.rng, itemOccasions)
		g.skus = append(g.skus, Item{SKU: strconv.Itoa(20_000 + i), Description: name})
		g.prices = append(g.prices, pick(g.rng, pricePoints))
	}
}

// homes are countries, and how many of a thousand customers live there.
var homes = []struct {
	country string
	share   int
}{
	{"United Kingdom", 870}, {"Germany", 35}, {"France", 30}, {"EIRE", 20}, {"Spain", 12}, {"Netherlands", 10},
	{"Belgium", 8}, {"Switzerland", 6}, {"Portugal", 5}, {"Australia", 4},
}

func (g *generator) makeCustomers() {
	for range g.cfg.Customers {
		n := g.rng.IntN(1_000)
		i := 0
		for n >= homes[i].share {
			n -= homes[i].share
			i++
		}
		g.countries = append(g.countries, homes[i].country)
	}
}

var firstDay = time.Date(2025, time.January, 2, 0, 0, 0, 0, time.UTC)

const (
	tradingDays = 358
	// The shop opens at openHour, for openSeconds.
	openHour    = 8
	openSeconds = 10 * 3600
)

// busyMonths are weights of a day's trade by its month. Before Christmas it is twice that of January.
var busyMonths = [12]int{10, 10, 11, 10, 12, 12, 11, 12, 16, 18, 24, 17}

// dayWeight is how busy a day is.
func dayWeight(day int) int {
	date := firstDay.AddDate(0, 0, day)
	busy := 2 * busyMonths[date.Month()-1]
	switch date.Weekday() {
	case time.Saturday:
		return 0
	case time.Sunday:
		return busy / 2
	default:
		return busy
	}
}

func (g *generator) makeYear() {
	total := 0
	for day := range tradingDays {
		total += dayWeight(day)
	}
	generated, weight := 0, 0
	for day := range tradingDays {
		weight += dayWeight(day)
		today := g.cfg.Orders*weight/total - generated
		generated += today
		date := firstDay.AddDate(0, 0, day)
		for i := range today {
			g.makeOrder(date.Add(openHour*time.Hour + time.Duration(openSeconds*i/today)*time.Second))
		}
		if day == tradingDays/2 {
			g.record("A"+g.nextInvoice(), "B", "Adjust bad debt", 1, date.Add(19*time.Hour), "1062.06", "", homes[0].country)
		}
	}
}

func (g *generator) makeOrder(at time.Time) {
	customer := g.loyal.draw(g.rng)
	id, country := strconv.Itoa(12_000+customer)+".0", g.countries[customer]
	if g.rng.IntN(100) < 20 {
		id, country = "", homes[0].country // bought without an account
	}
	lines := 1 + min(geometric(g.rng, 6), 60)
	invoice := g.nextInvoice()
	first := len(g.records)
	for range lines {
		sku := g.popular.draw(g.rng)
		quantity := 1 + geometric(g.rng, 5)
		if g.rng.IntN(40) == 0 {
			quantity *= 12 // by the dozen
		}
		g.record(invoice, g.skus[sku].SKU, g.skus[sku].Description, quantity, at, pounds(g.prices[sku]), id, country)
	}
	if g.rng.IntN(100) < 7 {
		g.makeReturn(g.records[first:len(g.records):len(g.records)], at.Add(time.Minute))
	}
	if g.rng.IntN(250) == 0 {
		sku := g.popular.draw(g.rng)
		remark := pick(g.rng, []string{"damaged", "lost", "check", "thrown away", "wrong colour"})
		quantity := -1 - g.rng.IntN(20)
		g.record(g.nextInvoice(), g.skus[sku].SKU, remark, quantity, at.Add(2*time.Minute), "0.0", "", homes[0].country)
	}
}

// makeReturn returns some goods of the newest order, under a credit note's number.
func (g *generator) makeReturn(order [][]string, at time.Time) {
	invoice := "C" + g.nextInvoice()
	for i, row := range order {
		if i > 0 && g.rng.IntN(4) != 0 {
			continue
		}
		quantity, err := strconv.Atoi(row[columnQuantity])
		if err != nil {
			panic(fmt.Sprintf("a generated quantity is no number: %q", row[columnQuantity]))
		}
		g.record(invoice, row[columnSKU], row[columnDescription], -1-g.rng.IntN(quantity), at,
			row[columnPrice], row[columnCustomer], row[columnCountry])
	}
}

func (g *generator) nextInvoice() string {
	g.invoice++
	return strconv.Itoa(g.invoice)
}

func (g *generator) record(
	invoice, sku, description string, quantity int, at time.Time, price, customer, country string,
) {
	g.records = append(g.records, []string{
		invoice, sku, description, strconv.Itoa(quantity), at.Format(dateLayouts[0]), price, customer, country,
	})
}

func pounds(pence int) string { return fmt.Sprintf("%d.%02d", pence/100, pence%100) }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
