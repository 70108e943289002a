package retail

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"time"
)

// GeneratorConfig describes a made-up retailer. Zero values take the defaults.
type GeneratorConfig struct {
	// Seed makes everything: the same configuration gives the same rows.
	Seed uint64
	// Orders is how many invoices there are, without credit notes and adjustments. Default 20,000.
	Orders int
	// SKUs and Customers are how many there are to choose from. Defaults 1,200 and 2,500.
	SKUs, Customers int
}

// skewed draws numbers below its length, each i about 1/(i+flatness) as often: Zipf's law. It holds running sums of
// integers, as everything here avoids floating point: its last digits differ between processors.
type skewed []int64

func newSkewed(n, flatness int) skewed {
	sums := make(skewed, n)
	var sum int64
	for i := range sums {
		sum += 1_000_000_000 / int64(i+flatness)
		sums[i] = sum
	}
	return sums
}

func (s skewed) draw(rng *rand.Rand) int {
	at := rng.Int64N(s[len(s)-1])
	return sort.Search(len(s), func(i int) bool { return s[i] > at })
}

// draws counts how often the generator goes on, with the given mean.
func draws(rng *rand.Rand, mean int) int {
	n := 0
	for rng.IntN(mean+1) != 0 {
		n++
	}
	return n
}

// generator draws rows in the data set's form.
type generator struct {
	cfg       GeneratorConfig
	rng       *rand.Rand
	skus      []Item
	prices    []int // pence
	popular   skewed
	loyal     skewed
	invoice   int
	records   [][]string
	countries []string // by customer
}

// Generate makes a year of a retailer's invoices as CSV records under Columns, in order of time: a few
// SKUs make most of the sales, autumn is the season, some goods come back, some are lost, and there is one
// bad-debt entry that an import refuses.
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
	g.popular = newSkewed(cfg.SKUs, 12)
	g.loyal = newSkewed(cfg.Customers, 30)
	g.makeItems()
	g.makeCustomers()
	g.makeYear()
	return g.records
}

var (
	itemColours   = []string{"RED", "IVORY", "SKY BLUE", "SAGE GREEN", "ROSE", "SILVER", "OAK", "VINTAGE", "STRIPED", "SPOTTED"}
	itemThings    = []string{"TEA TOWEL", "LANTERN", "MUG", "CAKE TIN", "PHOTO FRAME", "CANDLE", "CUSHION", "DOORSTOP", "LUNCH BOX", "WALL CLOCK", "GARLAND", "NOTEBOOK", "SOAP DISH", "BOTTLE OPENER", "UMBRELLA"}
	itemOccasions = []string{"", "", "", " SET OF 3", " SET OF 6", " SMALL", " LARGE", " CHRISTMAS", " GARDEN", " TRAVEL"}
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

// homes are countries by how many of ten customers live there, in hundredths.
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
	// openHour and openSeconds: from 8 in the morning for ten hours.
	openHour    = 8
	openSeconds = 10 * 3600
)

// busyMonths weigh a day's trade by its month: slow at first, twice that before Christmas.
var busyMonths = [12]int{10, 10, 11, 10, 12, 12, 11, 12, 16, 18, 24, 17}

// season is how busy a day is.
func season(day int) int {
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
		total += season(day)
	}
	made, gone := 0, 0
	for day := range tradingDays {
		gone += season(day)
		today := g.cfg.Orders*gone/total - made
		made += today
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
	lines := 1 + min(draws(g.rng, 6), 60)
	invoice := g.nextInvoice()
	first := len(g.records)
	for range lines {
		sku := g.popular.draw(g.rng)
		quantity := 1 + draws(g.rng, 5)
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
		g.record(g.nextInvoice(), g.skus[sku].SKU, remark, -1-g.rng.IntN(20), at.Add(2*time.Minute), "0.0", "", homes[0].country)
	}
}

// makeReturn gives back part of the newest order, under the credit note's own number.
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
		g.record(invoice, row[columnSKU], row[columnDescription], -1-g.rng.IntN(quantity), at, row[columnPrice], row[columnCustomer], row[columnCountry])
	}
}

func (g *generator) nextInvoice() string {
	g.invoice++
	return strconv.Itoa(g.invoice)
}

func (g *generator) record(invoice, sku, description string, quantity int, at time.Time, price, customer, country string) {
	g.records = append(g.records, []string{
		invoice, sku, description, strconv.Itoa(quantity), at.Format(dateLayouts[0]), price, customer, country,
	})
}

func pounds(pence int) string { return fmt.Sprintf("%d.%02d", pence/100, pence%100) }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
