package appendjson_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast/holdfast/pkg/appendjson"
)

func TestStringIsJSON(t *testing.T) {
	for in, want := range map[string]string{
		"plain": `"plain"`, "a\"b\\c": `"a\"b\\c"`, "\x00\n\t\r\x1f": `"\u0000\n\t\r\u001f"`,
		"é€😀": `"é€😀"`, "bad\xffend": "\"bad\ufffdend\"", "": `""`, "\xe2\x82": "\"\ufffd\ufffd\"",
	} {
		if got := string(appendjson.String(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestMembersMakeADocument(t *testing.T) {
	b := appendjson.String([]byte(`{"sku":`), "A1")
	b = appendjson.Member(b, "description", "")
	b = appendjson.Member(b, "name", "Heart")
	b = appendjson.Uint(b, "version", 7)
	b = appendjson.Strings(b, "none", nil)
	b = appendjson.Strings(b, "allowed", []string{"ship", "cancel"})
	b = append(appendjson.Level{Available: 1, OnHand: 2, Incoming: -3}.Append(b), '}')
	const want = `{"sku":"A1","name":"Heart","version":7,"allowed":["ship","cancel"],"available":1,` +
		`"backordered":0,"on_hand":2,"reserved":0,"committed":0,"safety_stock":0,"damaged":0,` +
		`"quality_control":0,"incoming":-3}`
	if string(b) != want || !json.Valid(b) {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestAppendingAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 4096)
	name := "some description, with \"quotes\" in it"
	if allocations := testing.AllocsPerRun(100, func() {
		_ = appendjson.Level{Available: 1}.Append(appendjson.Member(b, "description", name))
	}); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkString(b *testing.B) {
	buffer := make([]byte, 0, 4096)
	for b.Loop() {
		buffer = appendjson.String(buffer[:0], "6ded7494-c5dd-5049-b21a-015da9f30b72")
	}
}
