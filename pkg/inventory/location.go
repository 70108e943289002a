package inventory

import (
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/limits"
)

// DefaultLocation is where stock is when a command names no location.
const DefaultLocation = "main"

// LocationLevel is the level of one location.
type LocationLevel struct {
	Location string
	Level    Level
}

// location checks the location of a command.
//
//	INV-3   A command without a location means "main". A location is plain text of at most 64 characters, and one that
//	        the item does not have yet can name something (limits.NameFault), and differs from its other locations by
//	        more than upper and lower case (invalid_location). An item has at most 1,000 locations, and their names
//	        together have at most 64,000 bytes (too_many_locations).
func (i *Item) location(name string) (string, error) { return i.locationOf("/location", name) }

// locationOf is location for a field of another name.
func (i *Item) locationOf(pointer, name string) (string, error) {
	if name == "" {
		name = DefaultLocation
	}
	if limits.Longer(name, limits.MaxLocationLength) || !plain(name) {
		return "", refuse(CodeInvalidLocation, pointer,
			"a location is 1 to 64 characters, without control characters or outer spaces")
	}
	if i.find(name) >= 0 {
		return name, nil
	}
	if fault := limits.NameFault(name); fault != "" {
		return "", refuse(CodeInvalidLocation, pointer, "the name of the location "+fault)
	}
	for k := range i.Locations {
		if is := i.Locations[k].Location; strings.EqualFold(is, name) {
			return "", refuse(CodeInvalidLocation, pointer,
				"the item has a location "+strconv.Quote(is)+", which differs in upper and lower case alone")
		}
	}
	if !i.hasRoomFor(name) {
		return "", refuse(CodeTooManyLocations, pointer,
			"an item has at most 1000 locations, whose names have 64000 bytes together")
	}
	return name, nil
}

// hasRoomFor reports whether the item may have one more location.
func (i *Item) hasRoomFor(name string) bool {
	bytes := len(name)
	for k := range i.Locations {
		bytes += len(i.Locations[k].Location)
	}
	return len(i.Locations) < MaxLocations && bytes <= MaxLocationNamesBytes
}

// stockPlace checks the location and the reference of a stock command.
func (i *Item) stockPlace(location, reference string) (string, error) {
	if err := checkReference(reference); err != nil {
		return "", err
	}
	return i.location(location)
}

// find returns the index of a location, or -1.
func (i *Item) find(location string) int {
	for k := range i.Locations {
		if i.Locations[k].Location == location {
			return k
		}
	}
	return -1
}

// at returns the level of a location; zero for one that was never used.
func (i *Item) at(location string) Level {
	if k := i.find(location); k >= 0 {
		return i.Locations[k].Level
	}
	return Level{}
}

// first is the location that was used first.
func (i *Item) first() string {
	if len(i.Locations) == 0 {
		return DefaultLocation
	}
	return i.Locations[0].Location
}

// withLevels returns a copy of locations with the changed ones replaced or appended.
func withLevels(locations, changed []LocationLevel) []LocationLevel {
	if len(changed) == 0 {
		return locations
	}
	out := make([]LocationLevel, len(locations), len(locations)+len(changed))
	copy(out, locations)
	for k := range changed {
		i := slices.IndexFunc(out, func(l LocationLevel) bool { return l.Location == changed[k].Location })
		if i < 0 {
			out = append(out, changed[k])
			continue
		}
		out[i] = changed[k]
	}
	return out
}

// noteOnHand keeps OnHandVersions: on_hand of the changed locations changed at this version, if it did.
func (i *Item) noteOnHand(before, changed []LocationLevel) {
	var versions []uint64
	for k := range changed {
		at, onHand := i.find(changed[k].Location), int64(0)
		if at < len(before) {
			onHand = before[at].Level.OnHand
		}
		if onHand == changed[k].Level.OnHand {
			continue
		}
		if versions == nil {
			versions = make([]uint64, len(i.Locations))
			copy(versions, i.OnHandVersions)
			i.OnHandVersions = versions
		}
		versions[at] = i.Version
	}
}
