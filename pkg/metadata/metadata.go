// Package metadata has what clients keep with their orders and items for themselves: names and values, such as the ID
// that a marketplace gave an order. No rule asks for them.
//
// It imports the standard library and pkg/limits alone, for the rules of orders and those of stock share it.
package metadata

import (
	"maps"
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Map is metadata: values by their names. It is sorted by key, so that one map has one form. None is nil.
type Map []Entry

// Entry is a name and its value.
type Entry struct{ Key, Value string }

// Of is the metadata of a map; nil for an empty one.
func Of(values map[string]string) Map {
	if len(values) == 0 {
		return nil
	}
	m := make(Map, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		m = append(m, Entry{key, values[key]})
	}
	return m
}

// Fault says what is wrong with metadata, and where: pointer is the metadata's own, and that of a value is pointer/key.
// The detail is empty for metadata within the limits of pkg/limits, whose keys are sorted and stand there once.
func (m Map) Fault(pointer string) (at, detail string) {
	if len(m) > limits.MaxMetadataEntries {
		return pointer, "holds " + strconv.Itoa(len(m)) + " entries; at most " + strconv.Itoa(limits.MaxMetadataEntries) +
			" are taken"
	}
	size := 0
	for i, e := range m {
		if !limits.ValidMetadataKey(e.Key) {
			return pointer, "has a key that is not 1 to " + strconv.Itoa(limits.MaxMetadataKeyBytes) +
				" of a-z, A-Z, 0-9, _, . and -"
		}
		if i > 0 && m[i-1].Key >= e.Key {
			return pointer, "has a key twice, or keys that are not sorted"
		}
		if !limits.ValidMetadataValue(e.Value) {
			return pointer + "/" + e.Key, "must be 1 to " + strconv.Itoa(limits.MaxMetadataValueLength) +
				" characters, without control characters"
		}
		size += len(e.Key) + len(e.Value)
	}
	if size > limits.MaxMetadataBytes {
		return pointer, "has keys and values of " + strconv.Itoa(size) + " bytes; at most " +
			strconv.Itoa(limits.MaxMetadataBytes) + " are taken"
	}
	return "", ""
}
