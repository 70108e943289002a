package inventory

import (
	"strconv"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// MaxPlaces bounds the locations of the catalogue.
const MaxPlaces = 1_000

// Places is what the catalogue says of locations.
type Places interface {
	// Place returns the name of the location that has this name, or one that differs from it in upper and lower case
	// alone, and whether it is retired; "": there is none. While no location was declared every name is one.
	Place(name string) (is string, retired bool)
}

// CheckPlaces says whether goods may come to the locations that a command on an item named: evs are what the command
// was decided to, and places what the catalogue knows.
//
//	INV-74  Once a location was declared, stock comes to known locations alone: those of the catalogue, "main", and
//	        those that the item has had already (unknown_location). A location that is named for goods which come back
//	        has to be one of the catalogue, or "main". While none was declared any name makes a location.
//	INV-75  A retired location takes no new goods (location_retired): no receipt, unless it was expected there, no
//	        expected delivery, no adjustment upwards, no count that finds more, no transfer to it, and no goods that come
//	        back where it is named for them: without a name they come back to where they left. What is there stays, can
//	        be sold, counted and moved away, and what is on its way arrives.
//
// Example: the catalogue has "berlin". A receipt at "Berlin" is refused, and told of "berlin". An item with stock at
// "Berlin" from before takes receipts there as it did.
func CheckPlaces(item *Item, cmd Command, evs []Event, places Places) error {
	if places == nil {
		return nil
	}
	pointer := "/location"
	if _, ok := cmd.(ShipTransfer); ok {
		pointer = "/to_location"
	}
	for k := range evs {
		for _, l := range evs[k].Locations {
			before := item.at(l.Location)
			brings := bringsNew(cmd) && l.Level.OnHand+l.Level.Incoming > before.OnHand+before.Incoming
			isNew := item.find(l.Location) < 0
			if !isNew && !brings {
				continue
			}
			if err := checkPlace(l.Location, pointer, isNew, brings, places); err != nil {
				return err
			}
		}
	}
	return nil
}

// bringsNew reports whether a command may bring goods to a location that were not on their way to it.
func bringsNew(cmd Command) bool {
	switch cmd.(type) {
	case ReceiveStock, ExpectStock, AdjustStock, CountStock, ShipTransfer:
		return true
	}
	return false
}

// CheckReturnPlace applies INV-74 and INV-75 to the location that goods of an order come back to; "": none is named.
func CheckReturnPlace(location string, places Places) error {
	if places == nil || location == "" {
		return nil
	}
	return checkPlace(location, "/location", true, true, places)
}

func checkPlace(name, pointer string, mustBeKnown, brings bool, places Places) error {
	is, retired := places.Place(name)
	switch {
	case is == "" && mustBeKnown:
		return refuse(CodeUnknownLocation, pointer, "there is no location "+strconv.Quote(name))
	case is != name && mustBeKnown:
		return refuse(CodeUnknownLocation, pointer,
			"there is no location "+strconv.Quote(name)+", but "+strconv.Quote(is)+": send the name as it is")
	case is == name && retired && brings:
		return refuse(CodeLocationRetired, pointer, "the location "+strconv.Quote(name)+" is retired")
	}
	return nil
}

// DeclarePlace asks for a location in the catalogue, or for another description of one that is there.
//
//	INV-76  A location is declared under a name that INV-3 allows (invalid_location), and that differs from those of the
//	        others by more than upper and lower case (location_exists). Its description has at most 1,024 characters
//	        (invalid_description). "main" is declared from the beginning. There are at most 1,000 (too_many_locations).
type DeclarePlace struct{ Name, Description string }

// Check refuses what INV-76 does. count is how many locations the catalogue has.
func (c DeclarePlace) Check(places Places, count int) error {
	const pointer = "/location"
	if c.Name == "" || limits.Longer(c.Name, limits.MaxLocationLength) || !plain(c.Name) {
		return refuse(CodeInvalidLocation, pointer,
			"a location is 1 to 64 characters, without control characters or outer spaces")
	}
	if fault := limits.NameFault(c.Name); fault != "" {
		return refuse(CodeInvalidLocation, pointer, "the name of the location "+fault)
	}
	if limits.Longer(c.Description, limits.MaxDescriptionLength) || !utf8.ValidString(c.Description) {
		return refuse(CodeInvalidDescription, "/description", "a description is UTF-8 of at most 1024 characters")
	}
	return c.CheckName(places, count)
}

// CheckName refuses a name that cannot be had beside those that there are. Names are taken in the order of the
// catalogue, so its readers ask again.
func (c DeclarePlace) CheckName(places Places, count int) error {
	const pointer = "/location"
	switch is, _ := places.Place(c.Name); {
	case is == "" && count >= MaxPlaces:
		return refuse(CodeTooManyLocations, pointer, "there are 1000 locations, and may not be more")
	case is != "" && is != c.Name:
		return refuse(CodeLocationExists, pointer,
			"there is a location "+strconv.Quote(is)+", which differs in upper and lower case alone")
	}
	return nil
}
