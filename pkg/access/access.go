// Package access says who may do what: API keys, the scopes that a key has, and the scope that each operation of the
// API needs.
//
// What became of each key is in the topic holdfast.keys. Every process that checks keys follows it (Keys), so that a
// key which was made or revoked is known to all within a second, and nothing else is needed. The package does not know
// HTTP: pkg/httpapi reads the key of a request.
package access

import (
	"fmt"
	"strings"
)

// Mode says whether a service asks for keys.
type Mode string

// The modes.
const (
	// Off lets everybody do everything who reaches the service.
	Off Mode = "off"
	// ByKey takes only requests with a valid key that has the scope of the operation.
	ByKey Mode = "keys"
)

// Modes are all modes.
var Modes = []string{string(Off), string(ByKey)}

// ParseMode reads the setting; "" is Off.
func ParseMode(word string) (Mode, error) {
	switch mode := Mode(word); mode {
	case "":
		return Off, nil
	case Off, ByKey:
		return mode, nil
	}
	return "", fmt.Errorf("--access %s is not known: it is one of %s", word, strings.Join(Modes, ", "))
}
