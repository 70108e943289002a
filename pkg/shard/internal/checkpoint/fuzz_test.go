package checkpoint

import (
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/order"
)

// FuzzCheckpoint: a checkpoint's value of an order, or of reservations, decodes or is refused. What decodes stays the
// same.
func FuzzCheckpoint(f *testing.F) {
	var scratch []byte
	e := Entry{
		Order:    order.Order{ID: "o-1", Version: 2},
		commands: []CommandRecord{{key: "k-1", Version: 1}, {key: "k-2", Version: 2}},
	}
	value, err := e.encode(nil, &scratch)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		var first, second Entry
		if first.decode(value) == nil {
			again, err := first.encode(nil, &scratch)
			if err != nil || second.decode(again) != nil || !reflect.DeepEqual(first, second) {
				t.Fatalf("%v: %+v, then %+v", err, first, second)
			}
		}
		var res, resAgain Reservations
		if res.decode(value) == nil {
			again, err := res.encode(nil, &scratch)
			if err != nil || resAgain.decode(again) != nil || len(res.List) != len(resAgain.List) {
				t.Fatalf("%v: %+v, then %+v", err, res, resAgain)
			}
		}
	})
}
