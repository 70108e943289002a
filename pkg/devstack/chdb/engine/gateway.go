package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	native      = "Native"
	displayName = "holdfast"

	// maxQueries is how many queries run at a time. More wait.
	maxQueries = 32
	// maxWholeResultBytes bounds a result that the engine keeps in memory, which is every result but that of a SELECT in
	// the Native format.
	maxWholeResultBytes = 256 << 20
	// insertChunkBytes is how much of an INSERT's data is passed to the engine at a time.
	insertChunkBytes = 1 << 20
	// maxDrainBytes is how much of a body is still read after its insert has failed: a client reads the error only once it
	// has sent its data.
	maxDrainBytes = 256 << 20
	// killInterval is the time between attempts to kill a query whose client has disconnected.
	killInterval = 100 * time.Millisecond
)

// gateway is ClickHouse's HTTP interface for the engine in this process.
type gateway struct {
	engine            *engine
	slots             chan struct{} // has an element for each query that runs
	password          string
	version, timezone string
}

func newGateway(e *engine, password string) (*gateway, error) {
	g := &gateway{engine: e, slots: make(chan struct{}, maxQueries), password: password}
	r, err := e.first.run(statement{sql: "SELECT version(), timezone()", format: "TSVRaw"})
	if err != nil {
		return nil, err
	}
	defer r.free()
	g.version, g.timezone, _ = strings.Cut(strings.TrimSpace(string(r.bytes())), "\t")
	return g, nil
}

// handler answers clients on this machine that have the password. Only POST runs statements that change something.
// Methods other than GET and POST run nothing: browsers send HEAD and OPTIONS for any web page.
func (g *gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ok.\n") })
	mux.HandleFunc("GET /{$}", g.serve)
	mux.HandleFunc("POST /{$}", g.serve)
	mux.HandleFunc("HEAD /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	return localOnly(noWebPages(mux))
}

// noWebPages refuses what a browser sends for a web page, with any method: it has an Origin, or says that it is not the
// user's own navigation.
func noWebPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if r.Header.Get("Origin") != "" || site != "" && site != "none" {
			http.Error(w, "the embedded ClickHouse answers no web pages", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localOnly refuses requests for other host names than this machine's. Otherwise a web page could reach the engine by a
// DNS name that resolves to 127.0.0.1.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the embedded ClickHouse answers to localhost only, not to "+host,
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	q, err := parseRequest(w, r)
	out := newOutput(w, q)
	w.Header().Set("X-ClickHouse-Query-Id", q.id)
	w.Header().Set("X-ClickHouse-Server-Display-Name", displayName)
	w.Header().Set("X-ClickHouse-Timezone", g.timezone)
	w.Header().Set("X-ClickHouse-Format", q.format)
	w.Header().Set("X-ClickHouse-Exception-Tag", out.exceptionTag)
	if !g.authorized(r) {
		err = fail(codeAuthenticationFailed, "AUTHENTICATION_FAILED",
			"The password is wrong or missing. holdfast dev makes one at each start, and writes the address with it into "+
				"the file clickhouse-url of its data folder")
	}
	if err == nil {
		err = g.answer(r, q, out)
	}
	if err != nil {
		out.fail(err)
	}
}

func (g *gateway) answer(r *http.Request, q *request, out *output) error {
	text, in, data, err := q.statement()
	if err == nil {
		err = checkText(text + in.sql)
	}
	switch {
	case err != nil:
		return err
	case data == nil && strings.TrimSpace(text) == "":
		if r.Method == http.MethodGet {
			_, err = io.WriteString(out, "Ok.\n")
			return err
		}
		return fail(codeSyntaxError, "SYNTAX_ERROR", "Empty query")
	case isHello(q, text):
		answer, err := g.hello(q.protocolRevision)
		if err != nil {
			return err
		}
		_, err = out.Write(answer)
		return err
	}
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-r.Context().Done():
		return r.Context().Err() // the client has disconnected
	}
	// Native is the only format whose blocks may be concatenated for every query.
	streamed := data != nil || q.format == native && !q.waitEnd && !mentionsFormat(text)
	s, comment, err := g.session(r, q, streamed)
	if err != nil {
		return err
	}
	defer s.close()
	defer g.killOnDisconnect(r.Context(), comment)()
	if data != nil {
		return g.insert(s, q, in, data, out)
	}
	return g.query(s, statement{sql: text, format: q.format, params: q.params}, streamed, out)
}

// session opens a session for one request, with its database and settings. The session's queries can be found by
// comment, a unique value of the setting log_comment.
func (g *gateway) session(r *http.Request, q *request, streamed bool) (s *session, comment string, err error) {
	comment = newID()
	set, err := setStatement(r, q, streamed, comment)
	if err != nil {
		return nil, "", err
	}
	if s, err = g.engine.open(); err != nil {
		return nil, "", err
	}
	if q.database != "" {
		err = s.exec("USE " + quote(q.database, '`'))
	}
	if err == nil {
		err = s.exec(set)
	}
	if err != nil {
		s.close()
		return nil, "", err
	}
	return s, comment, nil
}

// setStatement is the SET statement for a request's settings. Of two values for one setting the later one counts.
func setStatement(r *http.Request, q *request, streamed bool, comment string) (string, error) {
	all := []param{{"implicit_select", "0"}}
	if !streamed {
		all = append(all, param{"max_result_bytes", fmt.Sprint(maxWholeResultBytes)})
	}
	all = append(append(all, q.settings...), param{"log_comment", comment})
	if r.Method == http.MethodGet {
		all = append(all, param{"readonly", "1"})
	}
	var sql strings.Builder
	for i, p := range all {
		if strings.Trim(p.name, settingNameChars) != "" {
			return "", fail(codeUnknownSetting, "UNKNOWN_SETTING", "Unknown setting %s", quote(p.name, '\''))
		}
		sql.WriteString([]string{"SET ", ", "}[min(i, 1)] + p.name + " = " + quote(p.value, '\''))
	}
	return sql.String(), nil
}

const settingNameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// quote puts s into quotation marks, ' for a string or ` for a name.
func quote(s string, mark byte) string {
	m := string(mark)
	return m + strings.NewReplacer(`\`, `\\`, m, `\`+m).Replace(s) + m
}

// query runs a statement that is not an INSERT with data.
func (g *gateway) query(s *session, st statement, streamed bool, out *output) error {
	if n := s.countStatements(st.sql); n > 1 {
		return fail(codeSyntaxError, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed): there are %d", n)
	}
	if streamed {
		err := s.streamResult(st, func(block []byte) error {
			_, err := out.Write(block)
			return err
		})
		if !isNotStreamed(err) {
			return err
		}
	}
	r, err := s.run(st)
	if err != nil {
		return err
	}
	defer r.free()
	setSummary(out.w, writeCounts{s.lib.rowsWritten(r.handle), s.lib.bytesWritten(r.handle)})
	if len(r.bytes()) == 0 {
		return nil
	}
	_, err = out.Write(r.bytes())
	return err
}

// insert passes data to the engine as it arrives. When the data breaks off, the engine discards what it has not yet
// written to disk.
func (g *gateway) insert(s *session, q *request, text insertText, data io.Reader, out *output) error {
	in, err := s.insert(statement{sql: text.sql, format: text.format, params: q.params})
	if err != nil {
		return err
	}
	chunk := make([]byte, insertChunkBytes)
	for {
		n, err := fill(data, chunk)
		if !in.append(chunk[:n]) {
			_, _ = io.CopyN(io.Discard, data, maxDrainBytes)
			break
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			in.cancel()
			return bodyError(err)
		}
	}
	counts, err := in.finish()
	if err != nil {
		return err
	}
	setSummary(out.w, counts)
	return nil
}

func setSummary(w http.ResponseWriter, n writeCounts) {
	text, _ := json.Marshal(map[string]string{"written_rows": fmt.Sprint(n.rows), "written_bytes": fmt.Sprint(n.bytes)})
	w.Header().Set("X-ClickHouse-Summary", string(text))
}

// killOnDisconnect kills the query with that log_comment when ctx ends, which net/http does when the client
// disconnects. The caller must call ended when the query has ended.
func (g *gateway) killOnDisconnect(ctx context.Context, comment string) (ended func()) {
	queryEnded := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		killer, err := g.engine.open()
		if err != nil {
			return // the query then runs to its end
		}
		defer killer.close()
		retry := time.NewTicker(killInterval)
		defer retry.Stop()
		// A single KILL could come before the query has begun, and would have no effect.
		for {
			_ = killer.exec("KILL QUERY WHERE Settings['log_comment'] = " + quote(comment, '\''))
			select {
			case <-queryEnded:
				return
			case <-retry.C:
			}
		}
	})
	return func() {
		stop()
		close(queryEnded)
	}
}

func newID() string { return strings.ToLower(rand.Text()) }
