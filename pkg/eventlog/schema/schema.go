// Package schema decodes events and upgrades them to their newest version.
//
// The log is kept for ever, so it has every version of every event that was ever written. All readers decode events
// here, so that folds, rules and checks know one version of each: the newest. CONTRIBUTING.md says how to add a
// version.
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

// ErrNewer means that a newer program wrote the event, in a version that this program does not know.
var ErrNewer = errors.New("event of a newer version")

// ReadOrder decodes a record value of orders.events into ev, which must be empty, and upgrades it. An event without any
// change is not an error here; the caller must refuse it.
func ReadOrder(value []byte, ev *eventv1.OrderEvent) error {
	if err := ev.UnmarshalVT(value); err != nil {
		return err
	}
	if ev.Change == nil {
		return Newer(value)
	}
	UpgradeOrder(ev)
	return nil
}

// ReadInventory does the same for inventory.events.
func ReadInventory(value []byte, ev *eventv1.InventoryEvent) error {
	if err := ev.UnmarshalVT(value); err != nil {
		return err
	}
	if ev.Change == nil {
		return Newer(value)
	}
	UpgradeInventory(ev)
	return nil
}

// Name is the name of an event's change, which is the same in all versions, and the change's version. An event without
// a change has neither.
func Name(ev protoreflect.ProtoMessage) (name string, version int) {
	m := ev.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().ByName("change"))
	if f == nil {
		return "", 0
	}
	return SplitName(string(f.Name()))
}

// SplitName splits the field name of a change: "return_received_v2" is version 2 of "return_received".
func SplitName(field string) (name string, version int) {
	if i := strings.LastIndex(field, "_v"); i > 0 {
		if n, err := strconv.Atoi(field[i+len("_v"):]); err == nil {
			return field[:i], n
		}
	}
	return field, 1
}

// firstChange is the lowest field number of a change in the event messages.
const firstChange = 10

// Newer looks for an unknown change in the value of an event in which this program found none. Its error is ErrNewer
// and names the program that is too old: several programs read the log, and each stops on its own.
func Newer(value []byte) error {
	for len(value) > 0 {
		field, _, n := protowire.ConsumeField(value)
		if n < 0 {
			return nil // Protobuf accepted the value; the caller refuses it because it has no change
		}
		if field >= firstChange {
			return fmt.Errorf("%w: change number %d was written by a newer program, "+
				"and %s is too old to read it; upgrade it", ErrNewer, field, program())
		}
		value = value[n:]
	}
	return nil
}

// program is the name of this binary, with its version if that is known.
func program() string {
	name := filepath.Base(os.Args[0])
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		name += " " + info.Main.Version
	}
	return name
}
