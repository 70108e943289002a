package commands

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// A command has heard what its replica had heard when its request came, not what that has heard when the body is there.
func TestACommandHasHeardWhatItsReplicaHadHeardByThen(t *testing.T) {
	for name, test := range map[string]struct {
		path, mediaType, body string
		bodyLate              bool // the body is received after the request
	}{
		"single": {"/v1/stock/A1/receipts", "application/json", `{"quantity":5}`, false},
		"bulk": {"/v1/commands", "application/x-ndjson",
			`{"id":"k","type":"receive_stock","sku":"A1","body":{"quantity":5}}` + "\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := &shard.Heard{}, &shard.Heard{}
			asked, now := make(chan struct{}, 100), atomic.Pointer[shard.Heard]{}
			now.Store(before)
			d := &desk{}
			a := d.api()
			a.heardBy = func() *shard.Heard {
				heard := now.Load()
				asked <- struct{}{}
				return heard
			}
			s := apitest.NewSite(t, nil, a.register)
			body, send := io.Pipe()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+test.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", test.mediaType)
			req.Header.Set("Idempotency-Key", "k")
			go func() {
				if !test.bodyLate {
					<-asked // the request is there
				}
				now.Store(after)
				_, _ = io.WriteString(send, test.body)
				_ = send.Close()
			}()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			want := before
			if test.bodyLate {
				want = after
			}
			if taken := d.taken(); len(taken) != 1 || taken[0].Heard != want {
				t.Errorf("%d commands were taken, the first with what was heard at another time", len(taken))
			}
		})
	}
}
