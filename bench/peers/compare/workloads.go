package compare

import (
	"time"

	"github.com/holdfast/holdfast/bench/peers/report"
)

// workload is a load that every system gets.
type workload struct {
	report.Workload
	// args are those of holdfast bench orders.
	args []string
	// unitsEach is how many units of each SKU a second may be sold. Only the peer with a row for each unit needs to know:
	// it cannot have a billion of them.
	unitsEach int
}

// skus is how many SKUs uniform workloads have.
const skus = "1000"

// unitsAtLeast are there of each SKU however short the run is: SKUs are drawn by chance.
const unitsAtLeast = 60

func workloads() []workload {
	return []workload{
		{
			report.Workload{Name: "three-lines", What: "three lines an order, 1,000 SKUs, 64 callers"},
			[]string{"--lines", "3", "--skus", skus, "--concurrency", "64"}, 50,
		},
		{
			report.Workload{Name: "one-line", What: "one line an order, 1,000 SKUs, 64 callers"},
			[]string{"--lines", "1", "--skus", skus, "--concurrency", "64"}, 30,
		},
		{
			report.Workload{Name: "hot", What: "one line an order, one SKU, 64 callers"},
			[]string{"--lines", "1", "--hot", "--concurrency", "64"}, 25_000,
		},
		{
			report.Workload{Name: "one-caller", What: "three lines an order, 1,000 SKUs, one caller"},
			[]string{"--lines", "3", "--skus", skus, "--concurrency", "1"}, 10,
		},
		{
			report.Workload{Name: "bulk", What: "three lines an order, 1,000 SKUs, two streams of POST /v1/commands"},
			[]string{"--lines", "3", "--skus", skus, "--bulk"}, 75,
		},
	}
}

// units of each SKU for a run of this length.
func (w *workload) units(length time.Duration) int {
	return unitsAtLeast + int(float64(w.unitsEach)*length.Seconds())
}
