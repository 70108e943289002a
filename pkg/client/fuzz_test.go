package client

import "testing"

// FuzzReadOutcome: any line is an outcome or an error, and no outcome is both done and open.
func FuzzReadOutcome(f *testing.F) {
	f.Add([]byte(`{"id":"k-1","status":201,"sku":"A1","version":2,"position":"i0.17","repeated":true,` +
		`"stock":{"sku":"A1"}}`))
	f.Add([]byte(`{"id":"k-2","status":404,"problem":{"code":"unknown_sku","detail":"x"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, o, err := readOutcome(line); err == nil && o.Done() && o.Open() {
			t.Fatalf("%+v is done and open", o)
		}
	})
}
