package stockledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/availability"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Row returns the availability of an item at a moment as JSON, with its version then. ok is false where it was not
// registered.
func (s *Store) Row(sku string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error) {
	return s.rendered(sku, m, availability.Render)
}

// Stock returns the same with its metadata and its open work. By the occurred clock no open work is known.
func (s *Store) Stock(sku string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error) {
	return s.rendered(sku, m, availability.RenderStock)
}

func (s *Store) rendered(
	sku string, m *asof.Moment, render func(*eventv1.AvailabilityRow) []byte,
) (jsonBody []byte, version uint64, ok bool, err error) {
	r, err := s.read()
	if err != nil {
		return nil, 0, false, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	row, err := r.rowAt(sku, m)
	if err != nil || row == nil {
		return nil, 0, false, err
	}
	return render(row), row.VisibleVersion, true, nil
}

// Filter selects items: those that have all that is set.
type Filter struct {
	// Prefix is how the SKU begins.
	Prefix string
	// Text is words, each of which stands in the SKU or the description, in any case: "heart white" finds "White hanging
	// heart".
	Text string
	// Location is one that the item has, or has had.
	Location string
	// Below is the quantity below which what is available lies, at Location where that is set; nil: any.
	Below *int64
}

func (f *Filter) selects(row *eventv1.AvailabilityRow) bool {
	var available int64
	located := f.Location == ""
	for _, l := range row.Locations {
		if f.Location == "" || l.Location == f.Location {
			available += max(0, l.Level.GetAvailable())
			located = true
		}
	}
	return located && (f.Below == nil || available < *f.Below) && f.selectsText(row)
}

func (f *Filter) selectsText(row *eventv1.AvailabilityRow) bool {
	if f.Text == "" {
		return true
	}
	// A line end keeps a word from being found where the SKU ends and the description begins: neither has one.
	text := strings.ToLower(row.Sku + "\n" + row.Description)
	for word := range strings.FieldsSeq(strings.ToLower(f.Text)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Each calls row for each item of a filter as it was at a moment, in the order of their SKUs from behind the SKU after
// on. All are of one moment, however long it takes. It ends with the first error of row.
func (s *Store) Each(
	ctx context.Context, f Filter, m *asof.Moment, after string, row func(*eventv1.AvailabilityRow) error,
) (err error) {
	r, err := s.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return r.items(ctx, "", f.Prefix, after, func(sku string) error {
		at, err := r.rowAt(sku, m)
		if err != nil || at == nil || !f.selects(at) {
			return err
		}
		return row(at)
	})
}

// items calls fn with the SKU of each item, in their order: of one SKU, or of those with a prefix behind the SKU
// after. errEnough ends it without an error.
func (r *reader) items(ctx context.Context, sku, prefix, after string, fn func(sku string) error) (err error) {
	it, err := r.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("read the stock ledger: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	from := append([]byte{keyItem}, cmp.Or(sku, prefix)...)
	if after != "" {
		from = append(itemPrefix(nil, keyItem, after), 0)
	}
	for ok := it.SeekGE(from); ok && it.Key()[0] == keyItem; ok = it.Next() {
		found := skuOf(it.Key())
		if !strings.HasPrefix(found, prefix) || sku != "" && found != sku {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(found); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return it.Error()
}

// List returns up to limit items of a filter at a moment, by SKU. after is the next that the page before returned; ""
// is the first page. next is "" on the last page.
func (s *Store) List(
	ctx context.Context, f Filter, m *asof.Moment, after string, limit int,
) (rows [][]byte, next string, err error) {
	last := ""
	err = s.Each(ctx, f, m, after, func(row *eventv1.AvailabilityRow) error {
		if len(rows) == limit {
			next = last
			return errEnough
		}
		rows, last = append(rows, availability.Render(row)), row.Sku
		return nil
	})
	return rows, next, err
}
