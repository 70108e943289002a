// Command load places orders through the Go client until it is told to stop, as a client of a platform does while
// somebody operates it. An order that has no definite answer after all retries of the client has failed.
//
//	load run URL ORDERS_PER_SECOND FOLDER    place orders until there is a stop; URL may name several replicas, with
//	                                         commas: each attempt goes to the next one
//	load report FOLDER                       print what has been placed so far
//	load mark FOLDER                         from here on look for the longest wait anew
//	load stop FOLDER                         end the run, which prints the report when its orders are answered
//	load get URL                             print what a GET is answered, whatever its status
//
// The folder gets report.json, and acks.jsonl with the answer of each order for holdfast verify --acks.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/test/spread"
)

const (
	// skus are ordered from, each with more stock than is ever ordered.
	skus  = 200
	stock = 1_000_000_000
	// maxUnderWay bounds the orders that wait for their answers.
	maxUnderWay = 2000
	// reportEvery is how often the report is written.
	reportEvery = 200 * time.Millisecond
	// startWithin is how long the platform may take to answer at all.
	startWithin = 2 * time.Minute
	// getTimeout bounds load get.
	getTimeout = 5 * time.Second
)

// Report says what became of the orders.
type Report struct {
	Placed int64 `json:"placed"`
	// Failed orders have no definite answer after all retries, or were refused. Failures has why, of the first ten.
	Failed   int64    `json:"failed"`
	Failures []string `json:"failures,omitempty"`
	// Undecided orders were answered 202: they were placed, and their outcome was not there at the end of the wait.
	Undecided int64 `json:"undecided"`
	// Retried counts the attempts that had to be made again, by status, or "no answer".
	Retried map[string]int64 `json:"retried"`
	// NotStarted orders were due while maxUnderWay others waited.
	NotStarted int64 `json:"not_started"`
	// P50MS and P99MS are of all answers. LongestMS is the longest wait for one since the last mark, with all retries.
	P50MS     int64 `json:"p50_ms"`
	P99MS     int64 `json:"p99_ms"`
	LongestMS int64 `json:"longest_ms"`
	Ended     bool  `json:"ended"`
}

func main() {
	if err := start(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func start(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "run":
		rate, err := strconv.Atoi(args[2])
		if err != nil || rate < 1 {
			return fmt.Errorf("%q is no number of orders a second", args[2])
		}
		return run(args[1], rate, args[3])
	case len(args) == 2 && args[0] == "report":
		return printReport(args[1])
	case len(args) == 2 && (args[0] == "stop" || args[0] == "mark"):
		return os.WriteFile(filepath.Join(args[1], args[0]), nil, 0o600)
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	}
	return errors.New("usage: load run URL ORDERS_PER_SECOND FOLDER | load report|mark|stop FOLDER | load get URL")
}

func printReport(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	return err
}

func get(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), getTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

// attempts counts the attempts that the client makes again.
type attempts struct {
	next  http.RoundTripper
	count func(why string)
}

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.next.RoundTrip(request)
	switch {
	case err != nil:
		a.count("no answer")
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable:
		a.count(response.Status)
	}
	return response, err
}

// load is one run.
type load struct {
	folder string
	client *client.Client
	acks   *os.File

	mu     sync.Mutex
	report Report
	tookMS []int64
}

func run(url string, rate int, folder string) error {
	acks, err := os.OpenFile(filepath.Join(folder, "acks.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l := &load{folder: folder, acks: acks, report: Report{Retried: map[string]int64{}}}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, maxUnderWay
	replicas := strings.Split(url, ",")
	l.client = client.New(replicas[0], client.Through(&http.Client{
		Transport: attempts{spread.Over(transport, replicas), l.retried},
	}))
	if err := l.fillShelves(); err != nil {
		return err
	}
	l.place(rate)
	return errors.Join(acks.Close(), printReport(folder))
}

// fillShelves registers the SKUs, once the platform answers.
func (l *load) fillShelves() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for n := range skus {
		for {
			_, err := l.client.RegisterItem(ctx, sku(n), client.RegisterItem{Description: "load"})
			if err == nil {
				_, err = l.client.ReceiveStock(ctx, sku(n), client.ReceiveStock{Quantity: stock}, client.Key("load-"+sku(n)))
			}
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("fill the shelves: %w", err)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Retried = map[string]int64{}
	return nil
}

func sku(n int) string { return fmt.Sprintf("load-%03d", n) }

// place places orders at the rate until there is a stop.
func (l *load) place(rate int) {
	underWay := make(chan struct{}, maxUnderWay)
	var waiting sync.WaitGroup
	due := time.NewTicker(time.Second / time.Duration(rate))
	defer due.Stop()
	report := time.NewTicker(reportEvery)
	defer report.Stop()
	for stopped := false; !stopped; {
		select {
		case <-due.C:
			select {
			case underWay <- struct{}{}:
				waiting.Go(func() {
					l.placeOne()
					<-underWay
				})
			default:
				l.mu.Lock()
				l.report.NotStarted++
				l.mu.Unlock()
			}
		case <-report.C:
			if os.Remove(filepath.Join(l.folder, "mark")) == nil {
				l.mu.Lock()
				l.report.LongestMS = 0
				l.mu.Unlock()
			}
			l.writeReport(false)
			_, err := os.Stat(filepath.Join(l.folder, "stop"))
			stopped = err == nil
		}
	}
	waiting.Wait()
	l.writeReport(true)
}

// placeOne places one order of two SKUs, which are often of different shards.
func (l *load) placeOne() {
	key := uuid.NewString()
	order := client.PlaceOrder{CustomerID: "load", Currency: "GBP", PaymentTerms: "on_account"}
	first := rand.IntN(skus)
	for n := range 2 {
		order.Lines = append(order.Lines, client.OrderLine{
			SKU: sku((first + n) % skus), Quantity: 1, UnitPrice: "2.50",
		})
	}
	began := time.Now()
	answer, err := l.client.PlaceOrder(context.Background(), order, client.Key(key))
	took := time.Since(began).Milliseconds()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Placed++
	l.tookMS = append(l.tookMS, took)
	l.report.LongestMS = max(l.report.LongestMS, took)
	if err != nil {
		l.report.Failed++
		if len(l.report.Failures) < 10 {
			l.report.Failures = append(l.report.Failures, err.Error())
		}
		return
	}
	if answer.Status == http.StatusAccepted {
		l.report.Undecided++
	}
	ack, err := json.Marshal(map[string]any{
		"key": key, "type": "place_order", "order_id": answer.Value.OrderID, "status": answer.Status,
		"outcome": answer.Value.Status, "position": answer.Position,
	})
	if err == nil {
		_, err = l.acks.Write(append(ack, '\n'))
	}
	if err != nil {
		log.Print(err)
	}
}

func (l *load) retried(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Retried[why]++
}

func (l *load) writeReport(ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Ended = ended
	if ended && len(l.tookMS) > 0 {
		slices.Sort(l.tookMS)
		l.report.P50MS = l.tookMS[len(l.tookMS)/2]
		l.report.P99MS = l.tookMS[len(l.tookMS)*99/100]
	}
	text, err := json.Marshal(l.report)
	if err == nil {
		// Readers see the former report or this one.
		err = os.WriteFile(filepath.Join(l.folder, "report.new"), text, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(l.folder, "report.new"), filepath.Join(l.folder, "report.json"))
	}
	if err != nil {
		log.Print(err)
	}
}
