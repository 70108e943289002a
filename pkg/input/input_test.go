package input

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/problem"
)

type testBody struct {
	Text     string  `json:"text"`
	Number   int64   `json:"number"`
	Optional *int64  `json:"optional"`
	List     []int64 `json:"list"`
	Flag     bool    `json:"flag"`
	Inner    *struct {
		Text *string `json:"text"`
	} `json:"inner"`
}

// JSON Schema: an integer is a number without a fraction, however it is written.
func TestWholeNumbersAreReadHoweverTheyAreWritten(t *testing.T) {
	for text, want := range map[string]int64{
		"2": 2, "2.0": 2, "2.000": 2, "2e3": 2_000, "2E+3": 2_000, "0.5e1": 5, "-2.0": -2, "2.50e1": 25, "20e-1": 2,
		"0.0": 0, "-0": 0, "-0.0": 0, "0e99": 0, "9223372036854775807.0": 1<<63 - 1, "-9223372036854775808": -1 << 63,
		"9007199254740993.0": 9_007_199_254_740_993, "1e18": 1_000_000_000_000_000_000,
	} {
		var b testBody
		body := Body{JSON: []byte(`{"number":` + text + `,"optional":` + text + `,"list":[` + text + `]}`)}
		if !body.Read(&b) || b.Number != want || *b.Optional != want || b.List[0] != want {
			t.Errorf("%s: %d %v %v, want %d", text, b.Number, b.List, body.Problem(), want)
		}
	}
	for _, text := range []string{"2.5", "2e-1", "1e-999999999", "9223372036854775808", "1e19", "1e999999999",
		"1e99999999999999999999", `"2"`, "true", "[]", "{}"} {
		body := Body{JSON: []byte(`{"number":` + text + `}`)}
		if body.Read(new(testBody)) {
			t.Errorf("%s is taken for an integer", text)
		} else if p := problem.Of(body.Problem()); p.Code != problem.WrongType || p.Errors[0].Pointer != "/number" {
			t.Errorf("%s: %v", text, p)
		}
	}
}

// A member that is null is not a member that is absent: no schema of a body allows null.
func TestNullIsRefusedWhereverItStands(t *testing.T) {
	for text, pointer := range map[string]string{
		`{"text":null}`: "/text", `{"number":null}`: "/number", `{"optional":null}`: "/optional", `{"list":null}`: "/list",
		`{"list":[1,null]}`: "/list/1", `{"flag":null}`: "/flag", `{"inner":null}`: "/inner",
		`{"text":"null","inner":{"text":null}}`: "/inner/text", `null`: "",
	} {
		body := Body{JSON: []byte(text)}
		if body.Read(new(testBody)) {
			t.Errorf("%s is taken", text)
		} else if p := problem.Of(body.Problem()); p.Code != problem.WrongType || p.Errors[0].Pointer != pointer {
			t.Errorf("%s: %v %v", text, p, p.Errors)
		}
		if text == `null` {
			continue
		}
		if err := ReadLine([]byte(text), new(testBody)); problem.Of(err).Code != problem.WrongType {
			t.Errorf("%s as a line: %v", text, err)
		}
	}
	var b testBody
	body := Body{JSON: []byte(`{"text":"null","list":[]}`)}
	if !body.Read(&b) || b.Text != "null" {
		t.Error(body.Problem())
	}
}

// Lengths are counted in characters, as maxLength of JSON Schema.
func TestLengthsAreCountedInCharacters(t *testing.T) {
	for _, character := range []string{"x", "ä", "\U0001d11e"} {
		var body Body
		body.Text("/reason", strings.Repeat(character, 255), 255)
		body.Name("/customer_id", strings.Repeat(character, 128), 128)
		if fault := LocationFault(strings.Repeat(character, 64)) + SKUFault(strings.Repeat(character, 64)); fault != "" ||
			!body.Sound() {
			t.Errorf("%s: %v %s", character, body.Problem(), fault)
		}
		body.Text("/reason", strings.Repeat(character, 256), 255)
		more := strings.Repeat(character, 65)
		if LocationFault(more) == "" || SKUFault(more) == "" || body.Sound() {
			t.Errorf("%s: one more is taken", character)
		}
	}
	var body Body
	if body.ID("/return_id", strings.Repeat("ä", 33), 64); body.Sound() {
		t.Error("an ID of 66 bytes is taken")
	}
}

func TestTimesAreThoseOfRFC3339(t *testing.T) {
	at := time.Date(2011, 12, 9, 12, 50, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2011-12-09T12:50:00Z": at, "2011-12-09t12:50:00z": at, "2011-12-09T13:50:00+01:00": at,
		"2011-12-09T12:50:00-00:00": at, "2011-12-09T12:50:00.000000000000Z": at,
		"2011-12-09T12:50:00.5Z": at.Add(time.Second / 2),
	} {
		if got, ok := ParseTime(text); !ok || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "2011-12-09", "2011-12-09 12:50:00Z", "2011-12-09T12:50:00", "2011-12-09T12:50Z",
		"2011-12-09T2:50:00Z", "2011-12-09T12:50:00,5Z", "2011-12-09T12:50:00.Z", "2011-12-09T12:50:00+24:00",
		"2011-12-09T12:50:00+01:60", "2011-02-29T12:50:00Z", "2011-12-09T24:00:00Z", "2016-12-31T23:59:60Z", "yesterday"} {
		if _, ok := ParseTime(text); ok {
			t.Errorf("%s is taken", text)
		}
	}
	for text, sound := range map[string]bool{
		"1970-01-01T00:00:00Z": true, "2199-12-31T23:59:59.999Z": true, "1970-01-01T00:00:00+14:00": true,
		"1969-12-31T23:59:59Z": false, "2200-01-01T00:00:00Z": false,
	} {
		var body Body
		if body.Time("/occurred_at", text); body.Sound() != sound {
			t.Errorf("%s: %v", text, body.Problem())
		}
	}
}

// A space of any kind is one: the rules of orders and stock ask the same.
func TestNamesHaveNoOuterSpaces(t *testing.T) {
	for _, space := range []string{" ", "\t", "\n", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000"} {
		var body Body
		body.Name("/customer_id", "c"+space, 128)
		if SKUFault(space+"A") == "" || LocationFault("n"+space) == "" || NewSKUFault("A"+space) == "" || body.Sound() {
			t.Errorf("%q is taken", space)
		}
	}
	if fault := SKUFault("a b"); fault != "" {
		t.Error(fault)
	}
}
