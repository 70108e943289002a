package orderview

import "slices"

// Unmatched is what a provider did before what it follows from was told: a capture without its authorization, for
// example.
type Unmatched struct {
	Action    string `json:"action"` // capture, void, refund
	Amount    string `json:"amount"`
	Reference string `json:"reference"`

	micros int64
}

// keepUnmatched keeps an amount that waits.
func (o *Order) keepUnmatched(action, reference string, micros int64) {
	if micros > 0 {
		o.Unmatched = append(o.Unmatched, Unmatched{Action: action, Reference: reference, micros: micros})
	}
}

// match takes an amount off what waits: off that with the reference first, then off the oldest (ORD-66).
func (o *Order) match(action, reference string, micros int64) {
	for _, same := range []bool{true, false} {
		for i := range o.Unmatched {
			if u := &o.Unmatched[i]; u.Action == action && (u.Reference == reference) == same {
				n := min(u.micros, micros)
				u.micros -= n
				micros -= n
			}
		}
	}
	o.Unmatched = slices.DeleteFunc(o.Unmatched, func(u Unmatched) bool { return u.micros == 0 })
}
