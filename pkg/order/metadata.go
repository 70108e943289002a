package order

import (
	"maps"
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Metadata is what a client keeps with an order for itself, such as the ID that a marketplace gave it: values by their
// names. It is sorted by key, so that one map has one form. No rule asks for it.
//
//	ORD-68  Metadata has at most 50 entries of at most 8 KiB together, keys and values. A key is 1 to 40 of the
//	        characters a-z, A-Z, 0-9, _, . and -, and stands there once; a value is 1 to 500 characters, without
//	        control characters (invalid_metadata).
type Metadata []MetadataEntry

// MetadataEntry is a name and its value.
type MetadataEntry struct{ Key, Value string }

// NewMetadata is the metadata that a map has; nil for an empty one.
func NewMetadata(values map[string]string) Metadata {
	if len(values) == 0 {
		return nil
	}
	m := make(Metadata, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		m = append(m, MetadataEntry{key, values[key]})
	}
	return m
}

// Check applies ORD-68. The pointer of a fault in a value is pointer/key.
func (m Metadata) Check(pointer string) error {
	if len(m) > limits.MaxMetadataEntries {
		return refuse(CodeInvalidMetadata, pointer,
			"holds "+strconv.Itoa(len(m))+" entries; at most "+strconv.Itoa(limits.MaxMetadataEntries)+" are taken")
	}
	size := 0
	for i, e := range m {
		if !limits.ValidMetadataKey(e.Key) {
			return refuse(CodeInvalidMetadata, pointer,
				"has a key that is not 1 to "+strconv.Itoa(limits.MaxMetadataKeyBytes)+" of a-z, A-Z, 0-9, _, . and -")
		}
		if i > 0 && m[i-1].Key >= e.Key {
			return refuse(CodeInvalidMetadata, pointer, "has a key twice, or keys that are not sorted")
		}
		if !limits.ValidMetadataValue(e.Value) {
			return refuse(CodeInvalidMetadata, pointer+"/"+e.Key, "must be 1 to "+
				strconv.Itoa(limits.MaxMetadataValueLength)+" characters, without control characters")
		}
		size += len(e.Key) + len(e.Value)
	}
	if size > limits.MaxMetadataBytes {
		return refuse(CodeInvalidMetadata, pointer, "has keys and values of "+strconv.Itoa(size)+" bytes; at most "+
			strconv.Itoa(limits.MaxMetadataBytes)+" are taken")
	}
	return nil
}
