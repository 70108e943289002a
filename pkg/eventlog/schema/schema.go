// Package schema reads events in the shape of today, whatever version they were written in.
//
// The log is kept for ever, and so is every version of every event that was ever written. Whoever reads events reads
// them here, so that folds, rules and checks know one shape of each: the newest. How to add a version:
// CONTRIBUTING.md.
package schema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// ErrNewer means that the event was written by a newer program, in a version that this one does not know.
var ErrNewer = errors.New("event of a newer version")

// ReadOrder decodes a record value of orders.events into ev, which must be empty. An event without any change is left
// for its reader to refuse.
func ReadOrder(value []byte, ev *eventv1.OrderEvent) error {
	if err := ev.UnmarshalVT(value); err != nil {
		return err
	}
	if ev.Change == nil {
		return Newer(value)
	}
	UpcastOrder(ev)
	return nil
}

// ReadInventory decodes a record value of inventory.events likewise; none of them has an older version yet.
func ReadInventory(value []byte, ev *eventv1.InventoryEvent) error {
	if err := ev.UnmarshalVT(value); err != nil {
		return err
	}
	if ev.Change == nil {
		return Newer(value)
	}
	return nil
}

// Name is the name of an event's change, the same in all its versions, and the version that it is in. An event
// without a change has neither.
func Name(ev protoreflect.ProtoMessage) (name string, version int) {
	m := ev.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().ByName("change"))
	if f == nil {
		return "", 0
	}
	return SplitName(string(f.Name()))
}

// SplitName takes the name of a change's field apart: "return_received_v2" is version 2 of "return_received".
func SplitName(field string) (name string, version int) {
	if i := strings.LastIndex(field, "_v"); i > 0 {
		if n, err := strconv.Atoi(field[i+len("_v"):]); err == nil {
			return field[:i], n
		}
	}
	return field, 1
}

// firstChange is the lowest field number of a change.
const firstChange = 10

// Newer looks for a change in the value of an event in which this program found none. Its error names the program that
// is too old, since several read the log and each stops by itself.
func Newer(value []byte) error {
	for len(value) > 0 {
		field, _, n := protowire.ConsumeField(value)
		if n < 0 {
			return nil // Protobuf has let it pass; its reader finds no change
		}
		if field >= firstChange {
			return fmt.Errorf("%w: change number %d was written by a newer program, and %s is too old to read it; upgrade it", ErrNewer, field, program())
		}
		value = value[n:]
	}
	return nil
}

// program is this binary with its version, as far as it is known.
func program() string {
	name := filepath.Base(os.Args[0])
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		name += " " + info.Main.Version
	}
	return name
}
