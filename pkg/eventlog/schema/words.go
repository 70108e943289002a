package schema

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The words of the event schema's enums. They are the same in JSON, SQL, the command line and the documentation.
var (
	Reasons     = wordsOf[eventv1.Reason]()
	StockStates = wordsOf[eventv1.StockState]()
	Conditions  = wordsOf[eventv1.Condition]()
	// UndeliveredConditions are those of goods that did not arrive.
	UndeliveredConditions = wordsOf[eventv1.UndeliveredCondition]()
	PaymentTerms          = wordsOf[eventv1.PaymentTerms]()
	AllocationPolicies    = wordsOf[eventv1.AllocationPolicy]()
	RejectionReasons      = wordsOf[eventv1.RejectionReason]()
	Causes                = wordsOf[eventv1.Cause]()
	PaymentActions        = wordsOf[eventv1.PaymentAction]()
	ChargeKinds           = wordsOf[eventv1.ChargeKind]()
	Roundings             = wordsOf[eventv1.Rounding]()
)

// enum is a generated enum of the event schema.
type enum interface {
	~int32
	protoreflect.Enum
}

// Words are the words of one enum, derived from the names of its values: REASON_CYCLE_COUNT is "cycle_count". A
// value is found by its number, which domain types share with the schema. The zero value has no word: it means that
// none was given.
type Words[E enum] struct{ byNumber []string }

// EnumWord is the word of a value of any enum of the event schema.
func EnumWord(d protoreflect.EnumDescriptor, value protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(value)
	if v == nil || value == 0 {
		return ""
	}
	return wordOf(d, v)
}

// wordOf is the name of a value without the prefix that all values of its enum have.
func wordOf(d protoreflect.EnumDescriptor, v protoreflect.EnumValueDescriptor) string {
	prefix := strings.TrimSuffix(string(d.Values().ByNumber(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
}

// wordsOf derives the words. The values of an enum must be numbered from 0 without gaps, and the first one must be
// <PREFIX>_UNSPECIFIED.
func wordsOf[E enum]() Words[E] {
	var zero E
	values := zero.Descriptor().Values()
	byNumber := make([]string, values.Len())
	for i := range byNumber {
		byNumber[i] = wordOf(zero.Descriptor(), values.ByNumber(protoreflect.EnumNumber(i)))
	}
	byNumber[0] = ""
	return Words[E]{byNumber}
}

// All is the list of words in the order of the schema.
func (w Words[E]) All() []string { return slices.Clone(w.byNumber[1:]) }

// Word is the word of a value. The zero value has none (""), nor has a value that this program does not know.
func (w Words[E]) Word(value E) string {
	if value < 0 || int(value) >= len(w.byNumber) {
		return ""
	}
	return w.byNumber[value]
}

// Parse is the value of a word. ok is false when there is no such word.
func (w Words[E]) Parse(word string) (value E, ok bool) {
	if word == "" {
		return 0, false
	}
	i := slices.Index(w.byNumber, word)
	return E(max(i, 0)), i > 0
}
