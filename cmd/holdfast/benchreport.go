//go:build !noembedded

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/loadtest"
)

// failed is an error if orders failed, because their rate would then look better than it is.
func failed(r *loadtest.Report) error {
	if r.Errors == 0 {
		return nil
	}
	return fmt.Errorf("%d orders got no answer that counts: %s", r.Errors, counts(r.Answers))
}

// show prints the report. It returns an error if orders failed, or if an oversell test did not have the exact outcome.
func (f *benchFlags) show(out io.Writer, report *loadtest.Report) error {
	if f.out == outputJSON {
		if err := writeJSON(out, report); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else if err := f.print(out, report); err != nil {
		return err
	}
	if f.oversell == 0 {
		return failed(report)
	}
	reserved, refused := report.Answers["201"], report.Answers["409"]
	if f.out == outputTable {
		fmt.Fprintf(out, "  oversell   %d orders for %d in stock: exactly %d reserved, %d refused with 409\n",
			f.oversell, f.load.Stock, reserved, refused)
	}
	if reserved != min(f.oversell, f.load.Stock) || reserved+refused != f.oversell {
		return fmt.Errorf("%d reserved and %d refused of %d orders for %d in stock",
			reserved, refused, f.oversell, f.load.Stock)
	}
	return failed(report)
}

func (f *benchFlags) print(out io.Writer, r *loadtest.Report) error {
	loop := fmt.Sprintf("closed loop, %d callers", f.load.Concurrency)
	switch {
	case f.load.Bulk:
		loop = "bulk, two streams"
	case f.load.Rate > 0:
		loop = fmt.Sprintf("open loop, %.0f orders/s", f.load.Rate)
	}
	retries := fmt.Sprintf("%d retries", r.Retries)
	if r.Retries > 0 {
		retries += " (" + counts(r.RetriedFor) + ")"
	}
	if r.NotStarted > 0 {
		retries += fmt.Sprintf("; %d WERE DUE AND NEVER SENT: the latencies show too little, raise --concurrency",
			r.NotStarted)
	}
	set := r.Settings
	_, err := fmt.Fprintf(out, `%s; lines an order: %d, SKUs: %d
  orders     %d in %.1f s: %.0f orders/s
  latency    p50 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.1f ms
  answers    %s; %s
  errors     %d
  CPU        %.3f ms an order (%s); %d CPUs, %s
`, loop, set.Lines, set.SKUs, r.Orders, r.Seconds, r.PerSecond, r.P50, r.P99, r.P999, r.Max,
		counts(r.Answers), retries, r.Errors, r.CPUPerOrderMS, r.CPUIncludes, set.CPUs, set.GoVersion)
	if err == nil && set.Replicas > 1 {
		_, err = fmt.Fprintf(out, "  replicas   %d of order-api, %d shards\n", set.Replicas, set.Shards)
	}
	if err == nil && r.ReportsBehindMS > 0 {
		_, err = fmt.Fprintf(out, "  reports    held the last order %.0f ms after the end\n", r.ReportsBehindMS)
	}
	if v := r.Visible; err == nil && v != nil {
		_, err = fmt.Fprintf(out, "  visible    %d orders followed into a report, from their answer: "+
			"p50 %.0f ms   p99 %.0f ms   max %.0f ms\n", v.Orders, v.P50, v.P99, v.Max)
	}
	return err
}

// counts lists names with how often each was counted, sorted.
func counts(byName map[string]int64) string {
	var all []string
	for name, n := range byName {
		all = append(all, fmt.Sprintf("%s × %d", name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
