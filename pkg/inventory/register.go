package inventory

import (
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// RegisterItem makes the SKU known, or changes its description.
//
//	INV-1   The description is at most 1,024 characters of UTF-8 (invalid_description), and the SKU is plain text of at
//	        most 64 characters (invalid_sku). The description that the item already has: no event, no error.
type RegisterItem struct{ Description string }

// ItemRegistered made the item known, or changed its description.
type ItemRegistered struct{ Description string }

func (c RegisterItem) decide(item *Item, _ *Reservation) ([]Event, error) {
	if limits.Longer(c.Description, limits.MaxDescriptionLength) || !utf8.ValidString(c.Description) {
		return nil, refuse(CodeInvalidDescription, "/description", "a description is at most 1024 characters of UTF-8")
	}
	if limits.Longer(item.SKU, limits.MaxSKULength) || !plain(item.SKU) {
		return nil, refuse(CodeInvalidSKU, "",
			"a SKU is at most 64 characters, without control characters or outer spaces")
	}
	if item.Registered && item.Description == c.Description {
		return nil, nil
	}
	return item.event(ItemRegistered(c))
}

func (c ItemRegistered) evolve(item *Item, _ *Reservation) {
	item.Registered, item.Description = true, c.Description
}
