package orderview

// due is captured money that has to go back, by cause, in micro-units.
type due struct{ overpayment, cancellation, amendment, returned int64 }

// DueFor is what is due for refund, by cause. Amounts of 0 are empty.
type DueFor struct {
	// Overpayment was captured although nobody had to pay it.
	Overpayment string `json:"overpayment,omitempty"`
	// Cancellation is for an order that ended, or lines of it.
	Cancellation string `json:"cancellation,omitempty"`
	Amendment    string `json:"amendment,omitempty"`
	Return       string `json:"return,omitempty"`
}

func (d *due) sum() int64 { return d.overpayment + d.cancellation + d.amendment + d.returned }

// pay takes a refund off: off the first cause first.
func (d *due) pay(micros int64) {
	for _, cause := range []*int64{&d.overpayment, &d.cancellation, &d.amendment, &d.returned} {
		paid := min(*cause, micros)
		*cause -= paid
		micros -= paid
	}
}

// dueFor is nil where nothing is due.
func (o *Order) dueFor() *DueFor {
	if o.due.sum() == 0 {
		return nil
	}
	shown := func(micros int64) string {
		if micros == 0 {
			return ""
		}
		return o.amount(micros)
	}
	return &DueFor{
		Overpayment: shown(o.due.overpayment), Cancellation: shown(o.due.cancellation),
		Amendment: shown(o.due.amendment), Return: shown(o.due.returned),
	}
}
