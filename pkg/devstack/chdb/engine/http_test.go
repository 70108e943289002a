package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

// answer is an HTTP response.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // from reading the body
}

// ask sends a request to the gateway: a query string such as "a=b&c=d", a body (nil: GET), and pairs of header name and
// value.
func ask(t *testing.T, query string, body io.Reader, header ...string) answer {
	t.Helper()
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	url := chdbtest.Server(t).URL("") + "?" + query
	req, err := http.NewRequestWithContext(chdbtest.Context(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text), err}
}

// sql is the result of a statement that must succeed.
func sql(t *testing.T, statement string) string {
	t.Helper()
	a := ask(t, "", strings.NewReader(statement))
	if a.status != http.StatusOK || a.err != nil {
		t.Fatalf("%s: %d %s %v", statement, a.status, a.body, a.err)
	}
	return a.body
}

func TestHTTPResults(t *testing.T) {
	for _, c := range []struct {
		query, body, want string
	}{
		{"", "SELECT 1, 'a\tb'", "1\ta\\tb\n"},
		{"", "SELECT 1;", "1\n"},
		{"", "SELECT 'a\n\n;b' AS x FORMAT JSONEachRow", "{\"x\":\"a\\n\\n;b\"}\n"},
		{"default_format=JSONEachRow", "SELECT 1 AS x", "{\"x\":1}\n"},
		{"default_format=Native", "SELECT 1 AS x FORMAT CSV", "1\n"},
		{"default_format=Native", "SELECT 1 AS x", "\x01\x01\x01x\x05UInt8\x01"},
		{"default_format=Native", "SELECT 1 AS x WHERE 0", ""},
		{"default_format=Native&wait_end_of_query=1", "SELECT 1 AS x", "\x01\x01\x01x\x05UInt8\x01"},
		{"query=SELECT+2", "", "2\n"},
		{"query=SELECT", "2 + 3", "5\n"},
		{"database=system", "SELECT currentDatabase()", "system\n"},
		{"param_s=a%5Cnb%5Ct%27%22&param_n=-5", "SELECT {s:String}, {n:Int8} + 1", "a\\nb\\t\\'\"\t-4\n"},
		{"param_t=one", "SELECT count() FROM system.{t:Identifier}", "1\n"},
		{"max_threads=3&max_block_size=77", "SELECT getSetting('max_threads'), getSetting('max_block_size')", "3\t77\n"},
		{"", "SELECT getSetting('max_block_size')", "65409\n"}, // the default, not the setting of the request before
		{"", "SELECT timezone()", "UTC\n"},
		{"session_timezone=Asia/Tokyo", "SELECT toDateTime(0) = toDateTime(0, 'UTC'), toHour(toDateTime(0))", "1\t9\n"},
		{"user=somebody&password=secret&quota_key=x", "SELECT 1", "1\n"}, // the header counts
		{"", "SET max_threads = 7", ""},
		{"", "SHOW DATABASES LIKE 'system'", "system\n"},
	} {
		a := ask(t, c.query, strings.NewReader(c.body))
		if a.status != http.StatusOK || a.body != c.want || a.err != nil {
			t.Errorf("%s %s: %d %q %v, want %q", c.query, c.body, a.status, a.body, a.err, c.want)
		}
	}
}

func TestHTTPErrors(t *testing.T) {
	for _, c := range []struct {
		query, body  string
		status, code int
		says         string
	}{
		{"", "SELECT * FROM nowhere", 404, 60, "nowhere"},
		{"default_format=Native", "SELECT * FROM nowhere", 404, 60, "nowhere"},
		{"database=nowhere", "SELECT 1", 404, 81, "nowhere"},
		{"", "SELEKT 1", 400, 62, "Syntax error"},
		{"", "  \n", 400, 62, "Empty query"},
		{"", "SELECT 1; SELECT 2", 400, 62, "Multi-statements"},
		{"", "SELECT throwIf(1)", 500, 395, "throwIf"},
		{"no_such_setting=1", "SELECT 1", 400, 115, "no_such_setting"},
		{"a%20b=1", "SELECT 1", 400, 115, "a b"},
		{"max_threads=many", "SELECT 1", 400, 27, "many"},
		{"session_id=x", "SELECT 1", 501, 48, "no sessions"},
		{"a;b", "SELECT 1", 400, 36, "query string"},
		{"client_protocol_version=x", "SELECT 1", 400, 36, "not a number"},
		{"param_n=x", "SELECT {n:Int8}", 400, 457, "Int8"},
		{"", "SELECT {n:Int8}", 400, 456, "`n`"},
		{"query=INSERT+INTO+nowhere+FORMAT+TSV", "1", 404, 60, "nowhere"},
		{"query=INSERT+INTO+FUNCTION+null('a+Int8')+FORMAT+TSV", "1\nx\n", 400, 27, "Cannot parse"},
		{"query=INSERT+INTO+FUNCTION+null('a+Int8')+FORMAT+Native", "\x01\x05\x01a", 400, 32, "after eof"},
		{
			"decompress=1&query=INSERT+INTO+FUNCTION+null('a+Int8')+FORMAT+TSV", strings.Repeat("no block", 10),
			400, 117, "body",
		},
		{"decompress=1", strings.Repeat("no block", 10), 400, 117, "body"},
		{"max_memory_usage=50000000", "SELECT groupArray(number) FROM numbers(100000000)", 500, 241, "memory limit"},
		{"", "SELECT '" + strings.Repeat("x", engine.MaxStatementBytes) + "'", 413, 161, "longer than"},
		{
			"", fmt.Sprintf("SELECT repeat(toString(number %% 10), 1000000) FROM numbers(%d)",
				engine.MaxWholeResultBytes/1_000_000+100),
			500, 396, "Limit for result",
		},
	} {
		a := ask(t, c.query, strings.NewReader(c.body))
		name := c.query + " " + c.body[:min(80, len(c.body))]
		a.body = a.body[:min(500, len(a.body))]
		if a.status != c.status || a.header.Get("X-ClickHouse-Exception-Code") != fmt.Sprint(c.code) {
			t.Errorf("%s: %d, code %s: %s", name, a.status, a.header.Get("X-ClickHouse-Exception-Code"), a.body)
		}
		if !strings.HasPrefix(a.body, fmt.Sprintf("Code: %d. DB::Exception: ", c.code)) ||
			!strings.Contains(strings.ToLower(a.body), strings.ToLower(c.says)) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

func TestHTTPRefusesWhatItDoesNotDo(t *testing.T) {
	for _, header := range [][]string{
		{"Content-Encoding", "gzip"},
		{"Content-Type", "multipart/form-data; boundary=x"},
	} {
		a := ask(t, "", strings.NewReader("SELECT 1"), header...)
		if a.status != http.StatusNotImplemented || !strings.HasPrefix(a.body, "Code: 48. ") {
			t.Errorf("%v: %d %s", header, a.status, a.body)
		}
	}
	// Requests of web pages in a browser are refused whatever they send.
	a := ask(t, "", strings.NewReader("SELECT 1"), "Origin", "https://elsewhere.example")
	if a.status != http.StatusForbidden {
		t.Errorf("a page from elsewhere: %d %s", a.status, a.body)
	}
	for host, status := range map[string]int{
		"elsewhere.example": 421, "elsewhere.example:8123": 421, "10.0.0.1": 421,
		"localhost": 200, "127.0.0.1:1": 200, "[::1]:8123": 200,
	} {
		if a := ask(t, "", strings.NewReader("SELECT 1"), "Host", host); a.status != status {
			t.Errorf("host %s: %d %s", host, a.status, a.body)
		}
	}
}

func TestGETOnlyReads(t *testing.T) {
	if a := ask(t, "query=SELECT+1&max_threads=1", nil); a.status != http.StatusOK || a.body != "1\n" {
		t.Errorf("SELECT: %d %s", a.status, a.body)
	}
	if a := ask(t, "query=CREATE+TABLE+got+(a+Int8)+ENGINE=Memory", nil); !strings.HasPrefix(a.body, "Code: 164. ") {
		t.Errorf("CREATE: %d %s", a.status, a.body)
	}
	if a := ask(t, "", nil); a.body != "Ok.\n" {
		t.Errorf("nothing: %d %s", a.status, a.body)
	}
	resp, err := http.Get("http://" + chdbtest.Server(t).Addr() + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "Ok.\n" {
		t.Errorf("ping: %s", text)
	}
}

func TestInsertsOverHTTP(t *testing.T) {
	sql(t, "CREATE TABLE inserts (s String, n Int64) ENGINE = MergeTree ORDER BY n")
	defer sql(t, "DROP TABLE inserts")
	for i, c := range []struct{ query, body string }{
		{"", "INSERT INTO inserts VALUES ('a\n\nb;', 0)"},
		{"", "INSERT INTO inserts (n, s) VALUES (1, 'a\n\nb;');"},
		{"query=INSERT+INTO+inserts+VALUES", "('a\n\nb;', 2)"},
		{"param_s=a%5Cn%5Cnb%3B&param_n=3", "INSERT INTO inserts VALUES ({s:String}, {n:Int64})"},
		{"query=INSERT+INTO+inserts+FORMAT+CSV", "\"a\n\nb;\",4\n"},
		{"", "INSERT INTO inserts SETTINGS async_insert = 0 FORMAT JSONEachRow\n\n{\"s\":\"a\\n\\nb;\",\n\n\"n\":5}\n\n"},
		{"query=INSERT+INTO+inserts+FORMAT+RowBinary", "\x05a\n\nb;\x06\x00\x00\x00\x00\x00\x00\x00"},
		{"", "INSERT INTO inserts SELECT 'a\n\nb;', 7"},
		{"", "WITH 'a\n\nb;' AS s INSERT INTO inserts SELECT s, 8"},
		{"default_format=Native", "WITH 'a\n\nb;' AS s INSERT INTO inserts SELECT s, 9"},
	} {
		a := ask(t, c.query, strings.NewReader(c.body))
		summary := a.header.Get("X-ClickHouse-Summary")
		if a.status != http.StatusOK || a.body != "" || !strings.Contains(summary, `"written_rows":"1"`) {
			t.Errorf("%d: %s %s: %d %s %s", i, c.query, c.body, a.status, a.body, summary)
		}
	}
	if got := sql(t, "SELECT n, hex(s) FROM inserts WHERE s != 'a\n\nb;' OR n < 0"); got != "" {
		t.Errorf("not as sent: %s", got)
	}
	if got := sql(t, "SELECT count(), uniqExact(n), sum(n) FROM inserts"); got != "10\t10\t45\n" {
		t.Errorf("count, numbers, sum: %s", got)
	}
}

// A body that ends early must not be treated as complete.
func TestABodyThatBreaksInsertsNothing(t *testing.T) {
	sql(t, "CREATE TABLE broken (n UInt64) ENGINE = MergeTree ORDER BY n")
	defer sql(t, "DROP TABLE broken")
	rows := make([]byte, 8*1000)
	for i := range 1000 {
		binary.LittleEndian.PutUint64(rows[8*i:], uint64(i))
	}
	compressor := compress.NewWriter(compress.LevelZero, compress.LZ4)
	if err := compressor.Compress(rows); err != nil {
		t.Fatal(err)
	}
	block := compressor.Data
	corrupt := bytes.Clone(block)
	corrupt[len(corrupt)-1]++
	insert := "query=" + url.QueryEscape("INSERT INTO broken FORMAT RowBinary")
	for name, c := range map[string]struct {
		query string
		body  []byte
		code  string
	}{
		"a corrupt block":             {insert + "&decompress=1", corrupt, "40"},
		"a truncated block":           {insert + "&decompress=1", block[:len(block)-5], "117"},
		"a truncated block after one": {insert + "&decompress=1", append(bytes.Clone(block), block[:20]...), "117"},
		"a truncated row":             {insert, rows[:len(rows)-3], "33"},
	} {
		a := ask(t, c.query, bytes.NewReader(c.body))
		if a.status != http.StatusBadRequest || a.header.Get("X-ClickHouse-Exception-Code") != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// A client that announces more than it sends, and then closes its side of the connection.
	conn, err := (&net.Dialer{}).DialContext(chdbtest.Context(t), "tcp", chdbtest.Server(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /?%s&password=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s",
		insert, chdbtest.Password(t, chdbtest.Server(t)), 2*len(rows), rows)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(conn); !strings.Contains(string(text), "Code: 117. ") {
		t.Errorf("a body that is shorter than announced: %s", text)
	}
	_ = conn.Close()
	if got := sql(t, "SELECT count() FROM broken"); got != "0\n" {
		t.Errorf("%s rows are there", got)
	}
	twoBlocks := append(bytes.Clone(block), block...)
	if a := ask(t, insert+"&decompress=1", bytes.NewReader(twoBlocks)); a.status != http.StatusOK {
		t.Errorf("two complete blocks: %d %s", a.status, a.body)
	}
	if got := sql(t, "SELECT count() FROM broken"); got != "2000\n" {
		t.Errorf("%s rows are there", got)
	}
}

// When a query fails after rows have been sent, the response must not look complete.
func TestAnErrorBehindRowsCutsTheConnection(t *testing.T) {
	for _, query := range []string{"default_format=Native", "default_format=Native&compress=1"} {
		a := ask(t, query, strings.NewReader("SELECT throwIf(number = 3000000) FROM numbers(10000000)"))
		tag := a.header.Get("X-ClickHouse-Exception-Tag")
		if a.status != http.StatusOK || a.err == nil || len(tag) != 16 {
			t.Errorf("%s: %d, %v, tag %q", query, a.status, a.err, tag)
		}
		if !strings.Contains(a.body, "\r\n__exception__\r\n"+tag+"\r\nCode: 395. DB::Exception: ") ||
			!strings.HasSuffix(a.body, tag+"\r\n__exception__\r\n") {
			t.Errorf("%s ends with %q", query, a.body[max(0, len(a.body)-500):])
		}
	}
}

func TestStatementsEndWithTheirClient(t *testing.T) {
	const slow = "SELECT max(sipHash64(number)) FROM numbers(100000000000)"
	running := func() string {
		return strings.TrimSpace(sql(t, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT max(sip%'"))
	}
	for _, query := range []string{"", "?default_format=Native"} {
		ctx, cancel := context.WithCancel(chdbtest.Context(t))
		left := make(chan error)
		go func() {
			url := chdbtest.Server(t).URL("") + query
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(slow))
			_, err := http.DefaultClient.Do(req)
			left <- err
		}()
		chdbtest.Eventually(t, "the query runs", func() bool { return running() == "1" })
		cancel()
		if err := <-left; err == nil {
			t.Error("the query ended by itself")
		}
		chdbtest.Eventually(t, "the query has ended", func() bool { return running() == "0" })
	}
}

// What is in the data never becomes a page: a browser shows it as text.
func TestResultsAreText(t *testing.T) {
	for _, statement := range []string{"SELECT '<script>alert(1)</script>' FORMAT RawBLOB", "SELECT nothing"} {
		h := ask(t, "", strings.NewReader(statement)).header
		if h.Get("Content-Type") != "text/plain; charset=UTF-8" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", statement, h)
		}
	}
}
