package command

import (
	"errors"
	"strconv"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// PlaceOrder is the name of the command that places an order.
const PlaceOrder = "place_order"

type placeBody struct {
	CustomerID   string            `json:"customer_id"`
	Currency     string            `json:"currency"`
	Lines        []placeLineBody   `json:"lines"`
	PaymentTerms *string           `json:"payment_terms"`
	Country      string            `json:"country"`
	Reference    string            `json:"reference"`
	Allocation   *allocationBody   `json:"allocation"`
	Metadata     map[string]string `json:"metadata"`
	OccurredAt   *string           `json:"occurred_at"`
	pricingBody
}

type allocationBody struct {
	Policy    string   `json:"policy"`
	Locations []string `json:"locations"`
}

var placing = []*Command{
	onOrder(created(PlaceOrder, "/v1/orders").creating(),
		(*decoding).place,
		func(f *fingerprint, cmd order.Place) {
			f.text(tagCustomerID, cmd.CustomerID)
			f.text(tagCurrency, cmd.Currency)
			f.text(tagCountry, cmd.Country)
			f.text(tagReference, cmd.Reference)
			f.number(tagTerms, int64(cmd.Terms))
			f.optional(tagTotal, cmd.Sums.TotalMicros)
			if rule := cmd.Allocation; rule != nil {
				f.number(tagPolicy, int64(rule.Policy))
				for _, location := range rule.Locations {
					f.text(tagPolicyLocation, location)
				}
			}
			f.metadata(cmd.Metadata)
			f.placeLines(cmd.Lines)
			f.pricing(cmd.Pricing, &cmd.Sums)
		}),
}

func (d *decoding) place(b *placeBody) order.Place {
	d.occurredAt(b.OccurredAt)
	cmd := order.Place{
		OrderID:    d.id,
		CustomerID: d.Name("/customer_id", b.CustomerID, limits.MaxCustomerIDLength),
		Currency:   d.currency(b.Currency),
		Country:    d.Text("/country", b.Country, limits.MaxCountryLength),
		Reference:  d.reference(b.Reference),
		Lines:      d.orderLines(b.Lines),
		Terms:      d.terms(b.PaymentTerms),
		AtMicros:   d.receivedAtMicros,
		Metadata:   d.metadata("/metadata", b.Metadata),
		Sums:       d.sums(&b.pricingBody),
		Pricing:    d.pricing(&b.pricingBody),

		DefaultRounding: d.opts.Rounding,
	}
	if b.Allocation != nil {
		cmd.Allocation = d.allocation(b.Allocation)
	}
	if cmd.Terms == order.Prepaid {
		cmd.PaymentDeadlineMicros = d.paymentDeadline()
	}
	return cmd
}

// terms are prepaid unless the body says otherwise.
func (d *decoding) terms(word *string) order.PaymentTerms {
	if word == nil {
		return order.Prepaid
	}
	terms, ok := schema.PaymentTerms.Parse(*word)
	if !ok {
		d.Fault(order.CodeInvalidTerms, "/payment_terms", "must be prepaid or on_account")
	}
	return order.PaymentTerms(terms)
}

func (d *decoding) allocation(b *allocationBody) *order.AllocationRule {
	policy := input.Word(&d.Body, "/allocation/policy", b.Policy, order.CodeInvalidAllocation,
		schema.AllocationPolicies.All, schema.AllocationPolicies.Parse)
	rule := &order.AllocationRule{Policy: order.AllocationPolicy(policy), Locations: b.Locations}
	for i, location := range b.Locations {
		if fault := input.LocationFault(location); fault != "" {
			d.Fault(order.CodeInvalidAllocation, "/allocation/locations/"+strconv.Itoa(i), fault)
			return rule
		}
	}
	var refusal *order.Error
	if policy != eventv1.AllocationPolicy_ALLOCATION_POLICY_UNSPECIFIED && errors.As(rule.Check(), &refusal) {
		d.Fault(refusal.Code, refusal.Pointer, refusal.Detail)
	}
	return rule
}

// The names of the commands that record past documents.
const (
	ImportOrder      = "import_order"
	ImportCreditNote = "import_credit_note"
)

type importBody struct {
	Reference  string            `json:"reference"`
	CustomerID string            `json:"customer_id"`
	Currency   string            `json:"currency"`
	Country    string            `json:"country"`
	OccurredAt *string           `json:"occurred_at"`
	Lines      []placeLineBody   `json:"lines"`
	Metadata   map[string]string `json:"metadata"`
	pricingBody
}

var imports = []*Command{
	importing(ImportOrder, "/v1/imports/orders", order.KindImportedOrder),
	importing(ImportCreditNote, "/v1/imports/credit-notes", order.KindCreditNote),
}

func importing(name, path string, kind order.Kind) *Command {
	return onOrder(created(name, path).creating(),
		func(d *decoding, b *importBody) order.ImportDocument {
			if b.OccurredAt == nil {
				d.Missing("/occurred_at")
			}
			d.occurredAt(b.OccurredAt)
			return order.ImportDocument{
				OrderID:    d.id,
				Kind:       kind,
				CustomerID: d.Text("/customer_id", b.CustomerID, limits.MaxCustomerIDLength),
				Currency:   d.currency(b.Currency),
				Country:    d.Text("/country", b.Country, limits.MaxCountryLength),
				Reference:  d.Name("/reference", b.Reference, limits.MaxReferenceLength),
				Lines:      d.orderLines(b.Lines),
				AtMicros:   d.occurredAtMicros,
				Metadata:   d.metadata("/metadata", b.Metadata),
				Sums:       d.sums(&b.pricingBody),
				Pricing:    d.pricing(&b.pricingBody),

				DefaultRounding: d.opts.Rounding,
			}
		},
		func(f *fingerprint, cmd order.ImportDocument) {
			f.text(tagCustomerID, cmd.CustomerID)
			f.text(tagCurrency, cmd.Currency)
			f.text(tagCountry, cmd.Country)
			f.text(tagReference, cmd.Reference)
			f.metadata(cmd.Metadata)
			f.optional(tagTotal, cmd.Sums.TotalMicros)
			f.placeLines(cmd.Lines)
			f.pricing(cmd.Pricing, &cmd.Sums)
		})
}
