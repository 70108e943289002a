package inventory

import (
	"slices"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
)

// RegisterItem makes the SKU known, or changes its description and metadata.
//
//	INV-1   The description is at most 1,024 characters of UTF-8 (invalid_description), and the SKU is plain text of at
//	        most 64 characters (invalid_sku). That of a new item can name something (limits.NameFault). What the item
//	        already has: no event, no error.
//	INV-66  Metadata has the limits of ORD-68 (invalid_metadata), and replaces all that the item has: {} empties it. A
//	        command without metadata leaves it as it is, for clients that do not know of it.
type RegisterItem struct {
	Description string
	// Metadata is nil where the command leaves it as it is.
	Metadata *metadata.Map
}

// ItemRegistered made the item known, or changed its description or its metadata.
type ItemRegistered struct {
	Description string
	// Metadata is all that the item has from now on; nil: it has not changed.
	Metadata *metadata.Map
}

func (c RegisterItem) decide(item *Item, _ *Reservation) ([]Event, error) {
	if limits.Longer(c.Description, limits.MaxDescriptionLength) || !utf8.ValidString(c.Description) {
		return nil, refuse(CodeInvalidDescription, "/description", "a description is at most 1024 characters of UTF-8")
	}
	if limits.Longer(item.SKU, limits.MaxSKULength) || !plain(item.SKU) {
		return nil, refuse(CodeInvalidSKU, "",
			"a SKU is at most 64 characters, without control characters or outer spaces")
	}
	if fault := limits.NameFault(item.SKU); fault != "" && !item.Registered {
		return nil, refuse(CodeInvalidSKU, "", "the SKU "+fault)
	}
	if c.Metadata != nil {
		if at, fault := c.Metadata.Fault("/metadata"); fault != "" {
			return nil, refuse(CodeInvalidMetadata, at, fault)
		}
		if slices.Equal(*c.Metadata, item.Metadata) {
			c.Metadata = nil
		}
	}
	if item.Registered && item.Description == c.Description && c.Metadata == nil {
		return nil, nil
	}
	return item.event(ItemRegistered(c))
}

func (c ItemRegistered) evolve(item *Item, _ *Reservation) {
	item.Registered, item.Description = true, c.Description
	if c.Metadata != nil {
		item.Metadata = *c.Metadata
	}
}
