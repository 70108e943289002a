package shard_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/shard"
)

// BenchmarkOrders places orders of three lines from 64 callers, without HTTP.
func BenchmarkOrders(b *testing.B) {
	for _, shards := range []int32{1, 4} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			p := newPlatform(b, shards)
			n := p.start(b.TempDir(), shard.Hooks{})
			const skus = 1000
			for i := range skus {
				stock(b, n, fmt.Sprintf("sku-%d", i), 1_000_000_000)
			}
			cmds := make([]*shard.Command, b.N)
			for i := range cmds {
				sku := func(i int) string { return fmt.Sprintf("sku-%d", i%skus) }
				body := orderBody("prepaid", sku(i), sku(i*7), sku(i*13))
				cmd, err := decode("place_order", "", fmt.Sprintf("bench-%d", i), []byte(body), time.Now().UnixMicro())
				if err != nil {
					b.Fatal(err)
				}
				cmds[i] = cmd
			}
			b.ResetTimer()
			b.ReportAllocs()
			var wg sync.WaitGroup
			const callers = 64
			for c := range callers {
				wg.Go(func() {
					for i := c; i < b.N; i += callers {
						fut := n.Submit(cmds[i])
						<-fut.Done()
						if r := fut.Result(); r.Code != "" {
							b.Errorf("refused: %+v", r)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}
