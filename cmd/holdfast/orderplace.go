package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
)

// newOrderFlags are the flags of `holdfast order place`. What they have no words for, such as taxes, is in a file.
type newOrderFlags struct {
	file                               string
	order                              client.PlaceOrder
	lines, entries, charges, discounts []string
	terms, policy, rounding            string
}

func newPlaceCommand(api *apiFlags) *cobra.Command {
	f := &newOrderFlags{}
	c := newOrderChange(api, "place", "Place an order and wait until stock is reserved", 0,
		func(c *call) (*client.OrderAnswer, error) {
			order, err := f.placeOrder()
			if err != nil {
				return nil, err
			}
			return c.api.PlaceOrder(c.ctx, *order, c.options...)
		})
	c.Example = `  holdfast order place --customer c-1 --currency EUR --line A1=2@11.90 \
    --charge shipping=4.90 --discount WELCOME10=2.38 --total 26.32
  holdfast order place --file order.json`
	f.add(c)
	return c
}

func (f *newOrderFlags) add(c *cobra.Command) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	terms, policies, roundings := schema.PaymentTerms.All(), schema.AllocationPolicies.All(), schema.Roundings.All()
	flags.StringVar(&f.order.CustomerID, "customer", "", "customer `ID` (required)")
	flags.StringVar(&f.order.Currency, "currency", "", "currency, as an ISO 4217 `CODE` such as EUR (required)")
	flags.StringArrayVar(&f.lines, "line", nil,
		"a line, as `SKU=QUANTITY@PRICE`, for example A1=2@2.55; repeat the flag for more lines (required)")
	flags.StringVar(&f.terms, "terms", string(client.Prepaid), "payment `TERMS`: "+enumerate(terms, "or"))
	flags.StringVar(&f.order.Country, "country", "", "`COUNTRY` of the customer, for reports")
	flags.StringVar(&f.order.Reference, "reference", "", "the shop's own `NUMBER` of the order")
	flags.StringVar(&f.policy, "allocation", "",
		"`POLICY` for the locations of each SKU: "+enumerate(policies, "or"))
	flags.StringArrayVar(&f.order.Allocation.Locations, "from-location", nil,
		"a `LOCATION` to try first; repeat the flag for more, in this order")
	flags.StringArrayVar(&f.entries, "metadata", nil,
		"`KEY=VALUE` to keep with the order; repeat the flag for more")
	flags.StringArrayVar(&f.charges, "charge", nil, "a charge, as `KIND=AMOUNT`: shipping=4.90; repeat it for more. "+
		"Kinds: "+enumerate(schema.ChargeKinds.All(), "or"))
	flags.StringArrayVar(&f.discounts, "discount", nil,
		"a discount on the order, as `AMOUNT` or CODE=AMOUNT: WELCOME10=2.38; repeat it for more")
	flags.BoolVar(&f.order.TaxesIncluded, "taxes-included", false, "prices and charges have their taxes in them")
	flags.StringVar(&f.rounding, "rounding", "", "`HOW` the total is rounded (default: as order-api is set): "+
		enumerate(roundings, "or"))
	flags.StringVar(&f.order.Total, "total", "",
		"the `AMOUNT` that the customer was shown; an order with another total is refused")
	c.Flags().AddFlagSet(flags)
	fileFlag(c, &f.file, "order", flags)
	completeFlag(c, "terms", terms...)
	completeFlag(c, "allocation", policies...)
	completeFlag(c, "rounding", roundings...)
}

// fileFlag adds --file to a command, whose body is in it instead of in flags.
func fileFlag(c *cobra.Command, file *string, what string, flags *pflag.FlagSet) {
	c.Flags().StringVar(file, "file", "",
		"`FILE` with the "+what+" as JSON, as the API takes it, or - for standard input; instead of the flags that say it")
	flags.VisitAll(func(flag *pflag.Flag) { c.MarkFlagsMutuallyExclusive("file", flag.Name) })
}

// placeOrder is the order that the flags, or the file, describe.
func (f *newOrderFlags) placeOrder() (*client.PlaceOrder, error) {
	if f.file != "" {
		return readBody[client.PlaceOrder](f.file, "order")
	}
	order, err := f.order, error(nil)
	if order.Lines, err = pricedLines(f.lines); err != nil {
		return nil, err
	}
	if order.Metadata, err = metadata(f.entries); err != nil {
		return nil, err
	}
	if order.Charges, err = charges(f.charges); err != nil {
		return nil, err
	}
	if order.Discounts, err = discounts(f.discounts); err != nil {
		return nil, err
	}
	order.PaymentTerms = client.PlaceOrderPaymentTerms(f.terms)
	order.Allocation.Policy = client.AllocationPolicy(f.policy)
	order.Rounding = client.Rounding(f.rounding)
	return &order, nil
}

// readBody reads the body of a request from a file. A member that the API does not know is refused here: it would be
// lost.
func readBody[T any](file, what string) (*T, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var body T
	if err := decoder.Decode(&body); err != nil {
		return nil, fmt.Errorf("%s holds no %s: %w", file, what, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s holds more than one %s", file, what)
	}
	return &body, nil
}

// readFile reads a file, or standard input for -.
func readFile(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

// metadata reads entries written as KEY=VALUE.
func metadata(entries []string) (client.Metadata, error) {
	m := client.Metadata{}
	for _, entry := range entries {
		key, value, ok := strings.Cut(entry, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("the metadata %q is not KEY=VALUE, as in channel=web", entry)
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("the metadata has the key %q twice", key)
		}
		m[key] = value
	}
	return m, nil
}
