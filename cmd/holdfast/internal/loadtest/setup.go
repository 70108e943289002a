package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	stockEach = 1_000_000_000
	// setUpPause is the pause before another attempt to set up the stock.
	setUpPause = 200 * time.Millisecond
	// bodyCount bodies are made before the run and then used in turn, because the load generator shares the machine with
	// the platform that it measures.
	bodyCount = 4096
)

func (cfg *Config) sku(n int) string { return fmt.Sprintf("%s-%04d", cfg.SKUPrefix, n) }

// setUp registers the SKUs and receives their stock, in one bulk request. It retries with the same keys while a shard
// gets a new owner.
func (r *run) setUp(ctx context.Context) error {
	var body bytes.Buffer
	for i := range r.cfg.SKUs {
		sku := r.cfg.sku(i)
		fmt.Fprintf(&body, `{"id":"%s-reg-%d","type":%q,"sku":%q,"body":{"description":"load test"}}`+"\n",
			r.cfg.KeyPrefix, i, registerItem, sku)
		fmt.Fprintf(&body, `{"id":"%s-rcv-%d","type":%q,"sku":%q,"body":{"location":"main","quantity":%d}}`+"\n",
			r.cfg.KeyPrefix, i, receiveStock, sku, r.cfg.Stock)
	}
	for end := time.Now().Add(r.cfg.RetryFor); ; {
		retry, err := r.sendSetUp(ctx, body.Bytes())
		if err == nil || !retry || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		time.Sleep(setUpPause)
	}
}

func (r *run) sendSetUp(ctx context.Context, body []byte) (retry bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.URLs[0]+"/v1/commands", bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("set up the stock: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return true, fmt.Errorf("set up the stock: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	dec := json.NewDecoder(resp.Body)
	for n := range 2 * r.cfg.SKUs {
		var answer json.RawMessage
		var line struct {
			ID      string          `json:"id"`
			Status  int             `json:"status"`
			Problem json.RawMessage `json:"problem"`
		}
		err := dec.Decode(&answer)
		if err == nil {
			err = json.Unmarshal(answer, &line)
		}
		if err != nil {
			return true, fmt.Errorf("set up the stock: after %d of %d answers: %w", n, 2*r.cfg.SKUs, err)
		}
		r.acks.result(line.ID, [...]string{registerItem, receiveStock}[n%2], answer)
		if line.Status >= http.StatusMultipleChoices || line.Status == 0 {
			return retryable(line.Status), fmt.Errorf("set up the stock: %s: %d %s", line.ID, line.Status, line.Problem)
		}
	}
	return false, nil
}

// retryable reports whether a status is no definite answer, so that the same key must be sent again.
func retryable(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// makeBodies makes the bodies of orders. SKUs are drawn evenly, each time from the same seed.
func (cfg *Config) makeBodies() [][]byte {
	rng := rand.New(rand.NewPCG(1, 7))
	bodies := make([][]byte, bodyCount)
	for i := range bodies {
		b := []byte(`{"customer_id":"c-1","currency":"GBP",`)
		if cfg.OnAccount {
			b = append(b, `"payment_terms":"on_account",`...)
		}
		b = append(b, `"lines":[`...)
		for k := range cfg.Lines {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"sku":"`...)
			b = append(b, cfg.sku(rng.IntN(cfg.SKUs))...)
			b = append(b, `","quantity":1,"unit_price":"2.55"}`...)
		}
		bodies[i] = append(b, "]}"...)
	}
	return bodies
}

// body is the body of order n. It is the same one for each attempt.
func (r *run) body(n int64) []byte { return r.bodies[n%bodyCount] }
