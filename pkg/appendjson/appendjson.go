// Package appendjson writes JSON by appending to a byte slice, for answers whose members stand in a fixed order and
// which are rendered often: it uses no reflection and allocates nothing but the slice.
//
// It owns how strings and stock levels look in JSON. It does not own documents: whoever has the data writes those.
package appendjson

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// String appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func String(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // its only error reports bytes that are not UTF-8, and replaces them
	return b
}

// Member appends `,"name":"value"`, or nothing where the value is empty. The name must need no escaping.
func Member(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return String(memberName(b, name), value)
}

// Int appends `,"name":n`. The name must need no escaping.
func Int(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(memberName(b, name), n, 10)
}

// Uint appends `,"name":n`. The name must need no escaping.
func Uint(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(memberName(b, name), n, 10)
}

// Strings appends `,"name":["a","b"]`, or nothing where there are no values. The name must need no escaping.
func Strings(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	return Array(memberName(b, name), values, String)
}

// Array appends values as a JSON array; element appends one of them.
func Array[T any](b []byte, values []T, element func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, value)
	}
	return append(b, ']')
}

func memberName(b []byte, name string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	return append(b, `":`...)
}

// Level is a stock level in units, of an item or of one of its locations. Available is what can be sold, Backordered
// what is promised and not there.
type Level struct {
	Available, Backordered, OnHand, Reserved, Committed, SafetyStock, Damaged, QualityControl, Incoming int64
}

// Append appends the members of a level, each with a comma before it.
func (l Level) Append(b []byte) []byte {
	b = Int(b, "available", l.Available)
	b = Int(b, "backordered", l.Backordered)
	b = Int(b, "on_hand", l.OnHand)
	b = Int(b, "reserved", l.Reserved)
	b = Int(b, "committed", l.Committed)
	b = Int(b, "safety_stock", l.SafetyStock)
	b = Int(b, "damaged", l.Damaged)
	b = Int(b, "quality_control", l.QualityControl)
	return Int(b, "incoming", l.Incoming)
}
