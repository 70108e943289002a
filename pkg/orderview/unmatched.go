package orderview

import "slices"

// Unmatched is what a provider did before what it follows from was told: a capture without its authorization, for
// example.
type Unmatched struct {
	Action    string `json:"action"` // capture, void, refund
	Amount    string `json:"amount"`
	Reference string `json:"reference"`
	Provider  string `json:"provider,omitempty"` // the payment provider's name

	micros int64
}

// has reports whether it has the reference, and may be of the provider (ORD-75).
func (u *Unmatched) has(reference, provider string) bool {
	return u.Reference == reference && (u.Provider == provider || u.Provider == "" || provider == "")
}

// keepUnmatched keeps an amount that waits.
func (o *Order) keepUnmatched(action, reference, provider string, micros int64) {
	if micros > 0 {
		o.Unmatched = append(o.Unmatched, Unmatched{
			Action: action, Reference: reference, Provider: provider, micros: micros,
		})
	}
}

// match takes an amount off what waits: off that with the provider's reference first, then off the oldest (ORD-66).
func (o *Order) match(action, reference, provider string, micros int64) {
	for _, same := range []bool{true, false} {
		for i := range o.Unmatched {
			if u := &o.Unmatched[i]; u.Action == action && u.has(reference, provider) == same {
				n := min(u.micros, micros)
				u.micros -= n
				micros -= n
			}
		}
	}
	o.Unmatched = slices.DeleteFunc(o.Unmatched, func(u Unmatched) bool { return u.micros == 0 })
}
