package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/service"
	"github.com/holdfast/holdfast/test/freeport"
)

// holdfast runs the command line and returns what it printed.
func holdfast(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// holdfastFails runs the command line, which must fail with an error that contains want.
func holdfastFails(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := holdfast(t, args...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("holdfast %q: %v, want %q\n%s", args, err, want, out)
	}
}

// freePorts are flags of a platform that must not meet another one.
var freePorts = []string{
	"--listen", "127.0.0.1:0", "--admin-listen", "off", "--kafka-listen", "127.0.0.1:0",
	"--clickhouse-listen", "127.0.0.1:0",
}

// Every command has help that fits a terminal of 80 columns.
func TestEveryCommandExplainsItself(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		if c.Short == "" {
			t.Errorf("%s has no short description", c.CommandPath())
		}
		out, err := holdfast(t, append(path, "--help")...)
		if err != nil || !strings.Contains(out, "Usage:") {
			t.Errorf("%s --help: %v\n%s", c.CommandPath(), err, out)
		}
		for line := range strings.Lines(out) {
			if len([]rune(line)) > helpColumns+1 {
				t.Errorf("%s --help is wider than %d columns: %s", c.CommandPath(), helpColumns, line)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRootCommand())
}

func TestTheVersionIsPrinted(t *testing.T) {
	if out, err := holdfast(t, "--version"); err != nil || !strings.HasPrefix(out, "holdfast "+service.Version()) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestWrongFlagsSayWhatToDo(t *testing.T) {
	holdfastFails(t, "Put flags first, then --, then the arguments: holdfast stock adjust -- … -1",
		"stock", "adjust", "B1", "-1")
	holdfastFails(t, "unknown flag: --reasons\nholdfast stock adjust --help lists the flags",
		"stock", "adjust", "B1", "1", "--reasons", "x")
}

// A refusal names what is short, and the flags and arguments of a request that is not valid.
func TestRefusalsSpeakOfFlags(t *testing.T) {
	short := api(t, "/v1/orders", http.StatusConflict, `{"code":"insufficient_stock","title":"Not enough stock",`+
		`"status":409,"type":"","short":[{"sku":"A1","requested":2,"available":1,"reason":"insufficient_stock"},`+
		`{"sku":"B2","requested":1,"available":0,"reason":"unknown_sku"}],"order_id":"o-2","number":27}`)
	holdfastFails(t, "order place: Not enough stock (insufficient_stock)\n"+
		"  A1: 2 wanted, 1 available (insufficient_stock)\n  B2: 1 wanted, 0 available (unknown_sku)\n  order 27",
		"order", "place", "--line", "A1=2@1", "--url", short)
	invalid := api(t, "/v1/orders", http.StatusUnprocessableEntity, `{"code":"validation_failed","title":"Not valid",`+
		`"status":422,"type":"","errors":[{"pointer":"/lines/1/quantity","detail":"must be at least 1"},`+
		`{"pointer":"/customer_id","detail":"is required"},{"pointer":"/allocation/locations/0","detail":"is empty"},`+
		`{"pointer":"/lines","detail":"too many"},{"pointer":"/shipping","detail":"is unknown"}]}`)
	holdfastFails(t, "order place: Not valid (validation_failed)\n  --line 2: quantity must be at least 1\n"+
		"  --customer is required\n  --from-location 1 is empty\n  --line too many\n  /shipping is unknown",
		"order", "place", "--line", "A1=2@1", "--url", invalid)
	quantity := api(t, "/v1/stock/A1/receipts", http.StatusUnprocessableEntity, `{"code":"validation_failed",`+
		`"title":"Not valid","status":422,"type":"","errors":[{"pointer":"/quantity","detail":"must be at least 1"}]}`)
	holdfastFails(t, "stock receive: Not valid (validation_failed)\n  QUANTITY must be at least 1",
		"stock", "receive", "A1", "0", "--url", quantity)
}

func TestColumnsAlignNumbersRight(t *testing.T) {
	var out strings.Builder
	table := newTable(&out)
	_, _ = table.Write([]byte("SKU\tSOLD\tTOTAL\nA1\t1,204\t5.10 GBP\nBBBB\t7\t\n\nNEXT\nx\n"))
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "SKU    SOLD     TOTAL\nA1    1,204  5.10 GBP\nBBBB      7\n\nNEXT\nx\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// api answers one path with one body.
func api(t *testing.T, path string, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStockGet(t *testing.T) {
	url := api(t, "/v1/availability", http.StatusOK, `{"items":[{"sku":"A1","description":"Heart",`+
		`"available":7,"on_hand":9,"reserved":2,"committed":0,"version":3,`+
		`"locations":[{"location":"main","available":7,"on_hand":9,"reserved":2}]}],"unknown":["B2"]}`)
	out, err := holdfast(t, "stock", "get", "A1", "B2", "--url", url)
	if err == nil || !strings.Contains(err.Error(), "B2") {
		t.Errorf("an unknown SKU was passed over: %v", err)
	}
	want := "A1  Heart\nversion 3, backorder limit 0, backordered 0\n" +
		"LOCATION  AVAILABLE  BACKORDERED  RESERVED  COMMITTED  SAFETY  DAMAGED  QC  ON HAND  INCOMING\n" +
		"main              7            0         2          0       0        0   0        9         0\n" +
		"all               7            0         2          0       0        0   0        9         0\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if out, _ := holdfast(t, "stock", "get", "A1", "--url", url, "-o", "json"); !strings.Contains(out, `"on_hand": 9`) {
		t.Errorf("as JSON: %s", out)
	}
}

func TestStockShow(t *testing.T) {
	const at = `"2026-01-02T03:04:05Z"`
	url := api(t, "/v1/stock/A1", http.StatusOK, `{"sku":"A1","description":"Heart","available":0,"on_hand":5,`+
		`"reserved":7,"incoming":9,"backordered":2,"backorder_limit":4,"version":8,"locations":[],`+
		`"metadata":{"note":"two words","category":"lighting"},`+
		`"transfers":[{"transfer_id":"t-1","from_location":"main","to_location":"north","reference":"van 2",`+
		`"shipped":3,"remaining":2,"shipped_at":`+at+`}],`+
		`"expected":[{"location":"main","reference":"PO-2","quantity":7}],`+
		`"backorders":[{"order_id":"o-1","location":"main","quantity":2,"since":`+at+`}]}`)
	out, err := holdfast(t, "stock", "show", "A1", "--url", url)
	want := "A1  Heart\nversion 8, backorder limit 4, backordered 2\n" +
		"LOCATION  AVAILABLE  BACKORDERED  RESERVED  COMMITTED  SAFETY  DAMAGED  QC  ON HAND  INCOMING\n" +
		"all               0            2         7          0       0        0   0        5         9\n" +
		"\nMETADATA  VALUE\ncategory  lighting\nnote      two words\n" +
		"\nTRANSFER  FROM  TO     UNDER  SHIPPED  REMAINING  SHIPPED AT\n" +
		"t-1       main  north  van 2        3          2  2026-01-02T03:04:05Z\n" +
		"\nEXPECTED UNDER  AT    QUANTITY\n" +
		"PO-2            main         7\n" +
		"\nWAITING ORDER  AT    QUANTITY  SINCE\n" +
		"o-1            main         2  2026-01-02T03:04:05Z\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	missing := api(t, "/v1/stock/A1", http.StatusNotFound, `{"code":"unknown_sku","title":"","status":404,"type":""}`)
	holdfastFails(t, "unknown_sku", "stock", "show", "A1", "--url", missing)
}

// What a command has written is waited for by a look-up that names the position it printed.
func TestALookUpWaitsForWhatACommandHasWritten(t *testing.T) {
	const position = "o8.2~i3.5"
	var asked []string // the positions that reads came with
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"order_id":"o-1","sku":"A1","status":"reserved","version":2,"items":[],"timeline":[],"locations":[]}`
		if r.Header.Get("Idempotency-Key") != "" {
			w.Header().Set("Holdfast-Position", position)
		} else {
			asked = append(asked, r.Header.Get("Holdfast-Min-Position"))
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	run := func(line string, more ...string) string {
		t.Helper()
		out, err := holdfast(t, append(append(strings.Fields(line), "--url", server.URL), more...)...)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		return out
	}
	for _, line := range []string{"order confirm o-1", "stock receive A1 3"} {
		if out := run(line); !strings.HasSuffix(out, "\nposition "+position+"\n") {
			t.Errorf("%s prints\n%s", line, out)
		}
		var printed struct{ Position, Status string }
		if err := json.Unmarshal([]byte(run(line, "-o", "json")), &printed); err != nil || printed.Position != position {
			t.Errorf("%s -o json: %v, %+v", line, err, printed)
		}
	}
	for _, line := range []string{"order get o-1", "order list", "stock get A1", "stock show A1"} {
		asked = nil
		run(line)
		run(line, "--after", position)
		if !slices.Equal(asked, []string{"", position}) {
			t.Errorf("%s asked for %q", line, asked)
		}
		out, err := holdfast(t, append(append([]string{"__complete"}, strings.Fields(line)...), "--after", "")...)
		if err != nil || !strings.HasPrefix(out, ":4\n") { // :4 means no files
			t.Errorf("%s --after is completed with %q, %v", line, out, err)
		}
	}
}

// A value may have any character; a key ends before the first =.
func TestOrderPlaceSendsMetadata(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Metadata map[string]string }
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil ||
			!maps.Equal(sent.Metadata, map[string]string{"channel": "web", "note": "a=1, b=2"}) {
			t.Errorf("%v %v", sent.Metadata, err)
		}
		_, _ = w.Write([]byte(`{"order_id":"o-1","version":1,"status":"reserved"}`))
	}))
	t.Cleanup(server.Close)
	place := []string{"order", "place", "--customer", "c-1", "--currency", "GBP", "--line", "A1=2@1", "--url", server.URL}
	if _, err := holdfast(t, append(place, "--metadata", "channel=web", "--metadata", "note=a=1, b=2")...); err != nil {
		t.Error(err)
	}
	holdfastFails(t, `the metadata "web" is not KEY=VALUE`, append(place, "--metadata", "web")...)
	holdfastFails(t, `the metadata has the key "a" twice`, append(place, "--metadata", "a=1", "--metadata", "a=2")...)
}

// Metadata of an item is set, removed, or left as it is.
func TestStockRegisterSendsMetadata(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent = string(body)
		_, _ = w.Write([]byte(`{"sku":"A1","description":"Heart","version":1,"locations":[]}`))
	}))
	t.Cleanup(server.Close)
	register := []string{"stock", "register", "A1", "--description", "Heart", "--url", server.URL}
	for flags, want := range map[string]string{
		"":                          `{"description":"Heart"}`,
		"--no-metadata":             `{"description":"Heart","metadata":{}}`,
		"--metadata category=a=\"b": `{"description":"Heart","metadata":{"category":"a=\"b"}}`,
	} {
		if _, err := holdfast(t, append(register, strings.Fields(flags)...)...); err != nil || sent != want {
			t.Errorf("%q sends %s, want %s: %v", flags, sent, want, err)
		}
	}
	holdfastFails(t, `the metadata "web" is not KEY=VALUE`, append(register, "--metadata", "web")...)
	holdfastFails(t, "none of the others can be", append(register, "--no-metadata", "--metadata", "a=1")...)
}

// A wrong -o is refused before the command is sent: after it, its caller would send it again, under another key.
func TestNothingIsSentWithAWrongOutput(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	for _, line := range []string{"stock get A1", "stock receive A1 3", "order get o-1", "order cancel o-1"} {
		_, err := holdfast(t, append(strings.Fields(line), "--url", server.URL, "-o", "yaml")...)
		if err == nil || !strings.Contains(err.Error(), "neither table nor json") {
			t.Errorf("%s -o yaml: %v", line, err)
		}
	}
	for _, line := range []string{"bench orders", "bench mirror", "verify"} {
		holdfastFails(t, "neither table nor json", append(strings.Fields(line), "-o", "yaml")...)
	}
}

func TestOrderGet(t *testing.T) {
	const id = "a2bc78c1-8641-5967-a8fd-6c4696bd9d2f"
	url := api(t, "/v1/orders/"+id, http.StatusOK, `{"order_id":"`+id+`","version":1,"status":"reserved",`+
		`"currency":"GBP","total":"5.10","lines":[{"sku":"A1","quantity":2,"unit_price":"2.55"}],`+
		`"metadata":{"note":"two words","channel":"web"},`+
		`"timeline":[{"type":"order_placed","version":1,`+
		`"occurred_at":"2026-01-02T03:04:05Z","recorded_at":"2026-01-02T03:04:05Z"}]}`)
	out, err := holdfast(t, "order", "get", id, "--url", url)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"reserved", "5.10 GBP", "2.55", "order_placed", "2026-01-02T03:04:05Z",
		"metadata  channel=web\nmetadata  note=two words\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	missing := api(t, "/v1/orders/"+id, http.StatusNotFound,
		`{"code":"order_not_found","title":"","status":404,"type":""}`)
	holdfastFails(t, "order_not_found", "order", "get", id, "--url", missing)
}

// An order is found by its number, too.
func TestOrderGetByNumber(t *testing.T) {
	found := `{"order_id":"o-1","number":1034,"status":"reserved","currency":"GBP","total":"5.10"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		items := ""
		if r.URL.RequestURI() == "/v1/orders?number=1034" {
			items = found
		}
		_, _ = w.Write([]byte(`{"items":[` + items + `]}`))
	}))
	t.Cleanup(server.Close)
	out, err := holdfast(t, "order", "get", "1034", "--url", server.URL)
	if err != nil || !strings.HasPrefix(out, "order    o-1\nnumber   1034\n") {
		t.Errorf("%v\n%s", err, out)
	}
	holdfastFails(t, "no order has the number 1035", "order", "get", "1035", "--url", server.URL)
}

// Everything that the API has of an order is shown.
func TestOrderGetShowsItsLife(t *testing.T) {
	const at = `"2026-01-02T03:04:05Z"`
	url := api(t, "/v1/orders/o-1", http.StatusOK, `{"order_id":"o-1","kind":"order","version":9,`+
		`"status":"reserved","voided":"0.00","currency":"GBP","total":"5.10","authorized":"5.10",`+
		`"refund_due":"2.55","payment_deadline":`+at+`,"allocation":{"policy":"split","locations":["north"]},`+
		`"lines":[{"line":1,"sku":"A1","quantity":2,"unit_price":"2.55","amount":"5.10","backordered":1,"shipped":2,`+
		`"delivered":2,"returned":1}],`+
		`"short":[{"sku":"B2","requested":3,"available":1,"reason":"insufficient_stock"}],`+
		`"fulfilments":[{"fulfilment_id":"f-1","status":"delivered","tracking_reference":"1Z",`+
		`"lines":[{"sku":"A1","quantity":2,"delivered":2}]}],`+
		`"returns":[{"return_id":"r-1","status":"requested","reason":"too big",`+
		`"lines":[{"sku":"A1","quantity":2,"received":1}]}],`+
		`"timeline":[{"type":"payment_authorized","version":3,"occurred_at":`+at+`,"recorded_at":`+at+`,`+
		`"cause":"timer","amount":"5.10","reference":"pi_1","lines":[{"sku":"A1","quantity":2}],`+
		`"short":[{"sku":"B2","requested":3,"available":1}]},`+
		`{"type":"order_held","version":4,"occurred_at":`+at+`,"recorded_at":`+at+`,"cause":"command",`+
		`"reason":"fraud","principal":{"name":"zoë","verified":false}},`+
		`{"type":"order_resumed","version":5,"occurred_at":`+at+`,"recorded_at":`+at+`,"cause":"command",`+
		`"reason":"mistake","principal":{"name":"bob","verified":true}}]}`)
	out, err := holdfast(t, "order", "get", "o-1", "--url", url)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"refund due  2.55\n", "pay until   2026-01-02T03:04:05Z\n", "allocation  split north\n",
		"LINE  SKU  QUANTITY  UNIT PRICE  AMOUNT  BACKORDERED  SHIPPED  DELIVERED  RETURNED\n" +
			"   1  A1          2        2.55    5.10            1        2          2         1\n",
		"B2             3          1  insufficient_stock\n",
		"f-1         delivered  1Z        A1=2\n",
		"r-1     requested  too big  A1=1/2\n",
		"5.10 pi_1 A1=2 B2: 1 of 3 (timer)\n",
		"fraud by zoë (unverified)\n",
		"mistake by bob\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Contains(out, "voided") {
		t.Errorf("nothing is shown:\n%s", out)
	}
	for line := range strings.Lines(out) {
		if len(line) > 101 {
			t.Errorf("wider than 100 columns: %s", line)
		}
	}
}

// --actor, or HOLDFAST_ACTOR, goes with every command. Without them no header does.
func TestCommandsNameTheActor(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Values("Holdfast-Actor")...)
		if r.URL.Path == "/v1/commands" {
			return
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(server.Close)
	run := func(want []string, args ...string) {
		t.Helper()
		got = nil
		if out, err := holdfast(t, append(args, "--url", server.URL)...); err != nil || !slices.Equal(got, want) {
			t.Errorf("holdfast %q: %v, named %q, want %q\n%s", args, err, got, want, out)
		}
	}
	file := filepath.Join(t.TempDir(), "commands.ndjson")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(nil, "order", "hold", "o-1", "--reason", "fraud")
	run([]string{"zoë"}, "order", "hold", "o-1", "--reason", "fraud", "--actor", "zoë")
	run([]string{"zoë"}, "import", "ndjson", file, "--actor", "zoë")
	t.Setenv("HOLDFAST_ACTOR", "till 4")
	run([]string{"till 4"}, "stock", "receive", "A1", "5")
	run([]string{"zoë"}, "stock", "receive", "A1", "5", "--actor", "zoë")
	run([]string{"till 4"}, "import", "ndjson", file)
	run(nil, "stock", "show", "A1")
}

func TestOrderList(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/v1/orders?customer_id=c-1&limit=1&metadata%5Berp.id%5D=a%3Db&status=reserved" {
			t.Errorf("asked for %s", r.URL.RequestURI())
		}
		_, _ = w.Write([]byte(`{"items":[{"order_id":"o-1","number":1034,"status":"reserved","payment_status":"pending",` +
			`"customer_id":"c-1","total":"5.10","currency":"GBP",` +
			`"timeline":[{"occurred_at":"2026-01-02T03:04:05Z"}]}],"next_cursor":"xyz"}`))
	}))
	t.Cleanup(server.Close)
	out, err := holdfast(t, "order", "list",
		"--customer", "c-1", "--status", "reserved", "--metadata", "erp.id=a=b", "--limit", "1", "--url", server.URL)
	want := "NUMBER  ORDER  STATUS    PAYMENT  CUSTOMER     TOTAL  PLACED\n" +
		"  1034  o-1    reserved  pending  c-1       5.10 GBP  2026-01-02\n" +
		"more: --cursor xyz\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	refused := api(t, "/v1/orders", http.StatusBadRequest,
		`{"code":"invalid_parameter","title":"","status":400,"type":""}`)
	holdfastFails(t, "invalid_parameter", "order", "list", "--status", "open", "--url", refused)
}

func TestClosedSetsAreCompleted(t *testing.T) {
	for line, want := range map[string]string{
		"order get -o":               "table json",
		"stock receive -o":           "table json",
		"order list --status":        "placed reserved confirmed on_hold completed rejected cancelled expired",
		"order place --terms":        "prepaid on_account",
		"order place --allocation":   "single_location fewest_locations split",
		"stock move A1 1 --to":       "available damaged quality_control safety_stock",
		"stock move A1 1 --from":     "available damaged quality_control safety_stock",
		"stock adjust A1 1 --reason": "correction cycle_count damaged received restock shrinkage promotion return other",
	} {
		out, err := holdfast(t, append(append([]string{"__complete"}, strings.Fields(line)...), "")...)
		values, _, _ := strings.Cut(out, "\n:")
		if err != nil || strings.Join(strings.Fields(values), " ") != want {
			t.Errorf("%s: %v %q, want %q", line, err, values, want)
		}
	}
}

func TestImportNeedsTheLog(t *testing.T) {
	nobody := freeport.Address(t)
	_, err := holdfast(t, "import", "online-retail", "none.csv", "--kafka", nobody)
	if err == nil || !strings.Contains(err.Error(), nobody) || !strings.Contains(err.Error(), "--kafka") {
		t.Errorf("without a broker: %v", err)
	}
}

func TestCountSetsThousandsApart(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1_000: "1,000", -100: "-100", -1_234_567: "-1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
