package engine_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// Nothing that a statement can say leads out of the database: not to files, not to addresses, not to programs.
func TestStatementsStayInTheDatabase(t *testing.T) {
	sql(t, "CREATE TABLE stays (s String) ENGINE = MergeTree ORDER BY s")
	defer sql(t, "DROP TABLE stays")
	dir := t.TempDir()
	secret, made := filepath.Join(dir, "secret"), filepath.Join(dir, "made")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"SELECT * FROM file('SECRET', 'LineAsString')",
		"SELECT * FROM 'SECRET'",
		"DESCRIBE file('SECRET')",
		"SELECT file('SECRET')",
		"SELECT `file`('SECRET')",
		"SELECT \"file\" /* */ ('SECRET')",
		"SELECT file -- x\n('SECRET')",
		"SELECT 1 SETTINGS additional_table_filters = {'system.one': 'length(fi\\\\x6ce(\\'SECRET\\')) > 0'}",
		"SELECT `\\x66ile`('SECRET')",
		"SELECT \"\\x66ile\"('SECRET')",
		"SELECT arrayMap(file, ['SECRET'])",
		"SELECT * APPLY(file) FROM (SELECT 'SECRET')",
		"SET dialect = 'prql'",
		"CREATE TABLE made (k UInt64, v String) ENGINE = EmbeddedRocksDB(0, 'MADE') PRIMARY KEY k",
		"CREATE TABLE made (s String) ENGINE = Executable('id', TSV)",
		"CREATE TABLE made (s String) ENGINE = `FileLog`('MADE', 'TSV')",
		"CREATE TABLE made (s String) ENGINE Distributed('a', 'b', 'c')",
		"SELECT 1 INTO OUTFILE 'MADE'",
		"SELECT 1 INTO /**/ OUTFILE 'MADE' TRUNCATE",
		"INSERT INTO stays FROM INFILE 'SECRET' FORMAT LineAsString",
		"INSERT INTO FUNCTION file('MADE', 'CSV', 'a Int8') VALUES (1)",
		"INSERT INTO stays SELECT * FROM file('SECRET', 'LineAsString')",
		"SELECT 1 FORMAT Template SETTINGS format_template_row = 'SECRET'",
		"SELECT 1 FORMAT Template SETTINGS format_template_resultset = 'SECRET'",
		"SELECT 1 FORMAT Protobuf SETTINGS format_schema = 'SECRET:Message'",
		"CREATE TABLE made (s String) ENGINE = File(CSV, 'MADE')",
		"CREATE TEMPORARY TABLE made (s String) ENGINE = File(CSV)",
		"CREATE TABLE made (s String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
		"CREATE TABLE made (s String) ENGINE = MergeTree ORDER BY s SETTINGS disk = disk(type = local, path = 'MADE/')",
		"CREATE TABLE made (s String) ENGINE = MergeTree ORDER BY s SETTINGS disk = disk(type = " +
			"web, endpoint = 'http://127.0.0.1:1/')",
		"CREATE DATABASE made ENGINE = Filesystem('/')",
		"CREATE DATABASE made ENGINE = SQLite('MADE')",
		"CREATE DATABASE made ENGINE = MySQL('127.0.0.1:1', 'a', 'b', 'c')",
		"ATTACH TABLE made FROM 'MADE' (s String) ENGINE = MergeTree ORDER BY s",
		"BACKUP TABLE stays TO File('MADE')",
		"RESTORE TABLE stays FROM File('SECRET')",
		"CREATE FUNCTION made AS x -> x",
		"CREATE NAMED COLLECTION made AS a = 1",
		"SYSTEM SHUTDOWN",
		"SYSTEM FLUSH LOGS",
		"CREATE DICTIONARY made (id UInt64) PRIMARY KEY id SOURCE(FILE(path 'SECRET' format " +
			"'CSV')) LAYOUT(FLAT()) LIFETIME(1)",
		"CREATE USER made",
		"GRANT SOURCES ON *.* TO default",
		"EXECUTE AS default SELECT 1",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT * FROM remote('127.0.0.1:1', 'system.one')",
		"SELECT * FROM remoteSecure('127.0.0.1:1', 'system.one')",
		"SELECT * FROM executable('id', 'TSV', 'a String')",
		"SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
		"SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
		"SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'k String')",
		"SELECT * FROM redis('127.0.0.1:1', 'k', 'k String, v String')",
		"SELECT * FROM s3('https://bucket.s3.amazonaws.com/k', 'CSV', 'a Int8')",
		"SELECT * FROM sqlite('SECRET', 't')",
		"SELECT * FROM gcs('https://storage.googleapis.com/bucket/k', 'CSV', 'a Int8')",
		"SELECT * FROM hdfs('hdfs://127.0.0.1:1/a', 'CSV', 'a Int8')",
		"SELECT * FROM azureBlobStorage('DefaultEndpointsProtocol=http', 'c', 'b')",
		"SELECT * FROM jdbc('x', 'y')",
		"SELECT * FROM icebergLocal('SECRET')",
		"SELECT * FROM deltaLakeLocal('SECRET')",
	} {
		statement = strings.NewReplacer("SECRET", secret, "MADE", made).Replace(statement)
		a := ask(t, "", strings.NewReader(statement))
		if a.status == http.StatusOK || strings.Contains(a.body, "hunter2") {
			t.Errorf("%s: %d %s", statement, a.status, a.body)
		}
		if _, err := os.Stat(made); err == nil {
			t.Fatalf("%s made a file", statement)
		}
	}
	if got := sql(t, "SELECT count() FROM stays"); got != "0\n" {
		t.Errorf("%s rows came from outside", got)
	}
	// What only looks like it stays possible.
	sql(t, "CREATE TABLE profile (profile_file String) ENGINE = Memory")
	defer sql(t, "DROP TABLE profile")
	sql(t, "SELECT engine FROM system.tables WHERE engine = 'URL'")
	a := ask(t, "query=INSERT+INTO+profile+FORMAT+TSV", strings.NewReader("file(x) outfile\n"))
	if a.status != http.StatusOK {
		t.Errorf("data with these words: %d %s", a.status, a.body)
	}
}

func TestThePasswordIsAsked(t *testing.T) {
	s := chdbtest.Server(t)
	password := chdbtest.Password(t, s)
	for name, c := range map[string]struct {
		query  string
		header []string
		status int
	}{
		"none":           {"", nil, http.StatusForbidden},
		"a wrong one":    {"?password=wrong", nil, http.StatusForbidden},
		"another user's": {"?user=root&password=" + password, nil, http.StatusForbidden},
		"in the URL":     {"?password=" + password, nil, http.StatusOK},
		"with its user":  {"?user=default&password=" + password, nil, http.StatusOK},
		"in headers":     {"", []string{"X-ClickHouse-User", "default", "X-ClickHouse-Key", password}, http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(chdbtest.Context(t), http.MethodPost, "http://"+s.Addr()+"/"+c.query,
			strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.header); i += 2 {
			req.Header.Set(c.header[i], c.header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
		}
	}
}

// These are the requests that a browser sends for a page of another origin: for an image, a form, fetch with no-cors,
// sendBeacon, a preflight. None runs anything, not even with the password.
func TestWebPagesRunNothing(t *testing.T) {
	s := chdbtest.Server(t)
	sql(t, "CREATE TABLE pages (n UInt8) ENGINE = Memory")
	defer sql(t, "DROP TABLE pages")
	const insert = "INSERT INTO pages SELECT 1"
	for name, c := range map[string]struct {
		method string
		header []string
	}{
		"an image":      {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image"}},
		"an old image":  {http.MethodGet, nil},
		"a form":        {http.MethodPost, []string{"Origin", "null", "Content-Type", "text/plain"}},
		"a beacon":      {http.MethodPost, []string{"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"}},
		"another port":  {http.MethodPost, []string{"Origin", "http://127.0.0.1:3000", "Sec-Fetch-Site", "same-site"}},
		"a preflight":   {http.MethodOptions, []string{"Origin", "https://elsewhere.example"}},
		"OPTIONS":       {http.MethodOptions, nil},
		"HEAD":          {http.MethodHead, nil},
		"PUT":           {http.MethodPut, nil},
		"DNS rebinding": {http.MethodPost, []string{"Host", "elsewhere.example:8123"}},
	} {
		address := s.URL("") + "?query=" + url.QueryEscape(insert)
		req, err := http.NewRequestWithContext(chdbtest.Context(t), c.method, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.header); i += 2 {
			if req.Header.Set(c.header[i], c.header[i+1]); c.header[i] == "Host" {
				req.Host = c.header[i+1]
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if got := sql(t, "SELECT count() FROM pages"); got != "0\n" {
			t.Fatalf("%s inserted a row", name)
		}
	}
}
