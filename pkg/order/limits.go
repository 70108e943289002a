package order

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// MaxFulfilments bounds the shipments of one order. Limits that other layers keep to as well stand in pkg/limits.
const MaxFulfilments = 1_000

// plain reports whether s is UTF-8 without control characters and outer spaces.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s) && strings.TrimSpace(s) == s
}

// checkText refuses a text that is too long or not UTF-8.
func checkText(field, s string, length int) error {
	if limits.Longer(s, length) || !utf8.ValidString(s) {
		return refuse("invalid_"+field, "/"+field, "at most "+strconv.Itoa(length)+" characters of UTF-8")
	}
	return nil
}

// checkName refuses a text that is too long, or that cannot name something (limits.NameFault).
func checkName(field, s string, length int) error {
	if err := checkText(field, s, length); err != nil {
		return err
	}
	if fault := limits.NameFault(s); fault != "" {
		return refuse("invalid_"+field, "/"+field, "the text "+fault)
	}
	return nil
}

func validSKU(sku string) bool {
	return sku != "" && !limits.Longer(sku, limits.MaxSKULength) && plain(sku)
}

func invalidSKU(line int) *Error {
	return refuse(CodeInvalidSKU, linePointer(line, "sku"),
		"a SKU is 1 to 64 characters, without control characters or outer spaces")
}

func linePointer(line int, field string) string {
	return "/lines/" + strconv.Itoa(line) + "/" + field
}
