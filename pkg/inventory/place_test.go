package inventory

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

// catalogued is a catalogue; true is a location that is retired.
type catalogued map[string]bool

func (p catalogued) Place(name string) (is string, retired bool) {
	for is, retired := range p {
		if strings.EqualFold(is, name) {
			return is, retired
		}
	}
	return "", false
}

// refusedAt is the code with which a command is refused for its location on an item with stock at main and at Berlin.
func refusedAt(t *testing.T, cmd Command, places Places) (code, detail string) {
	t.Helper()
	s := given(t, RegisterItem{}, ReceiveStock{Quantity: 5}, ReceiveStock{Location: "Berlin", Quantity: 5},
		ExpectStock{Location: "old", Quantity: 4, Reference: "po-1"})
	evs, err := Decide(s.item, Reservation{}, cmd)
	if err != nil {
		t.Fatalf("%+v: %v", cmd, err)
	}
	refusal, _ := errors.AsType[*Error](CheckPlaces(&s.item, cmd, evs, places))
	if refusal == nil {
		return "", ""
	}
	return refusal.Code, refusal.Detail
}

func TestINV74StockComesToKnownLocations(t *testing.T) {
	known := catalogued{"main": false, "hamburg": false, "berlin": false, "old": true}
	for _, test := range []struct {
		cmd    Command
		code   string
		detail string
	}{
		{ReceiveStock{Quantity: 1}, "", ""},
		{ReceiveStock{Location: "hamburg", Quantity: 1}, "", ""},
		{ReceiveStock{Location: "Berlin", Quantity: 1}, "", ""}, // the item has had it before
		{ReceiveStock{Location: "hambrug", Quantity: 1}, CodeUnknownLocation, `there is no location "hambrug"`},
		{ReceiveStock{Location: "Hamburg", Quantity: 1}, CodeUnknownLocation, `but "hamburg"`},
		{ExpectStock{Location: "hambrug", Quantity: 1}, CodeUnknownLocation, ""},
		{AdjustStock{Location: "hambrug", Delta: 1, Reason: ReasonCorrection}, CodeUnknownLocation, ""},
		{CountStock{Location: "hambrug"}, CodeUnknownLocation, ""},
		{SetSafetyStock{Location: "hambrug", Quantity: 1}, CodeUnknownLocation, ""},
		{ShipTransfer{TransferID: "t", ToLocation: "hambrug", Quantity: 1}, CodeUnknownLocation, ""},
	} {
		code, detail := refusedAt(t, test.cmd, known)
		if code != test.code || !strings.Contains(detail, test.detail) {
			t.Errorf("%+v: %q %q", test.cmd, code, detail)
		}
		if code, _ := refusedAt(t, test.cmd, nil); code != "" {
			t.Errorf("%+v, without a catalogue: %q", test.cmd, code)
		}
	}
	back := map[string]string{"": "", "hamburg": "", "hambrug": CodeUnknownLocation, "old": CodeLocationRetired}
	for name, code := range back {
		refusal, _ := errors.AsType[*Error](CheckReturnPlace(name, known))
		if (refusal != nil) != (code != "") || refusal != nil && refusal.Code != code {
			t.Errorf("goods come back to %q: %v", name, refusal)
		}
	}
}

func TestINV75ARetiredLocationTakesNoNewGoods(t *testing.T) {
	retired := catalogued{"main": true, "Berlin": false, "old": true, "other": true}
	for _, test := range []struct {
		cmd  Command
		code string
	}{
		{ReceiveStock{Quantity: 1}, CodeLocationRetired},
		{ReceiveStock{Location: "other", Quantity: 1}, CodeLocationRetired},
		{ReceiveStock{Location: "old", Quantity: 4, Reference: "po-1"}, ""}, // it was expected
		{ReceiveStock{Location: "old", Quantity: 5, Reference: "po-1"}, CodeLocationRetired},
		{ExpectStock{Quantity: 1}, CodeLocationRetired},
		{ExpectStock{Location: "old", Quantity: 1, Reference: "po-1"}, ""}, // less than before
		{AdjustStock{Delta: 1, Reason: ReasonCorrection}, CodeLocationRetired},
		{AdjustStock{Delta: -1, Reason: ReasonCorrection}, ""},
		{CountStock{Counted: 6}, CodeLocationRetired},
		{CountStock{Counted: 0}, ""},
		{SetSafetyStock{Quantity: 1}, ""},
		{MoveStock{From: StateAvailable, To: StateQualityControl, Quantity: 1}, ""},
		{ShipTransfer{TransferID: "t", ToLocation: "Berlin", Quantity: 1}, ""},
		{ShipTransfer{TransferID: "t", FromLocation: "Berlin", ToLocation: "main", Quantity: 1}, CodeLocationRetired},
	} {
		if code, _ := refusedAt(t, test.cmd, retired); code != test.code {
			t.Errorf("%+v: %q, want %q", test.cmd, code, test.code)
		}
	}
}

func TestINV76NamesOfLocations(t *testing.T) {
	there := catalogued{"main": false, "berlin": true}
	for _, test := range []struct {
		want  DeclarePlace
		count int
		code  string
	}{
		{DeclarePlace{Name: "hamburg"}, 2, ""},
		{DeclarePlace{Name: "berlin", Description: "closed"}, MaxPlaces, ""},
		{DeclarePlace{Name: "hamburg"}, MaxPlaces, CodeTooManyLocations},
		{DeclarePlace{Name: "Berlin"}, 2, CodeLocationExists},
		{DeclarePlace{}, 2, CodeInvalidLocation},
		{DeclarePlace{Name: strings.Repeat("x", limits.MaxLocationLength+1)}, 2, CodeInvalidLocation},
		{DeclarePlace{Name: "ham\u200bburg"}, 2, CodeInvalidLocation},
		{DeclarePlace{Name: "x", Description: strings.Repeat("x", limits.MaxDescriptionLength+1)}, 2, CodeInvalidDescription},
	} {
		refusal, _ := errors.AsType[*Error](test.want.Check(there, test.count))
		if (refusal != nil) != (test.code != "") || refusal != nil && refusal.Code != test.code {
			t.Errorf("%+v: %v, want %q", test.want, refusal, test.code)
		}
	}
}
