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

	// maxQueries run at a time; more wait.
	maxQueries = 32
	// maxWholeResultBytes bounds results that the engine must hold in memory: all but a SELECT in Native.
	maxWholeResultBytes = 256 << 20
	// insertPieceBytes go to the engine at a time.
	insertPieceBytes = 1 << 20
	// maxDrainBytes of a body are read after its insert failed, so that its client gets to reading why.
	maxDrainBytes = 256 << 20
	// killPause lies between attempts to end a query whose client has left.
	killPause = 100 * time.Millisecond
)

// gateway speaks ClickHouse's HTTP interface for an engine in this process.
type gateway struct {
	engine            *engine
	slots             chan struct{}
	version, timezone string
}

func newGateway(e *engine) (*gateway, error) {
	g := &gateway{engine: e, slots: make(chan struct{}, maxQueries)}
	r, err := e.first.run(statement{sql: "SELECT version(), timezone()", format: "TSVRaw"})
	if err != nil {
		return nil, err
	}
	defer r.free()
	g.version, g.timezone, _ = strings.Cut(strings.TrimSpace(string(r.bytes())), "\t")
	return g, nil
}

// handler serves clients on this machine. Pages in a browser are kept out: there is no password.
func (g *gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ok.\n") })
	mux.HandleFunc("/{$}", g.serve)
	return http.NewCrossOriginProtection().Handler(localOnly(mux))
}

// localOnly refuses host names that somebody may have pointed at this machine.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "the embedded ClickHouse answers to localhost only, not to "+host, http.StatusMisdirectedRequest)
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
	w.Header().Set("X-ClickHouse-Exception-Tag", out.tag)
	if err == nil {
		err = g.answer(r, q, out)
	}
	if err != nil {
		out.fail(err)
	}
}

func (g *gateway) answer(r *http.Request, q *request, out *output) error {
	text, in, data, err := q.statement()
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
		answer, err := g.hello(q.protocol)
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
		return r.Context().Err() // nobody is there to be told
	}
	// Only blocks of Native can be joined whatever the query.
	streamed := data != nil || q.format == native && !q.whole && !mentionsFormat(text)
	s, mark, err := g.session(r, q, streamed)
	if err != nil {
		return err
	}
	defer s.close()
	defer g.killWhenGone(r.Context(), mark)()
	if data != nil {
		return g.insert(s, q, in, data, out)
	}
	return g.query(s, statement{sql: text, format: q.format, params: q.params}, streamed, out)
}

// session opens a session for one request. Whatever it sets ends with it.
func (g *gateway) session(r *http.Request, q *request, streamed bool) (s *session, mark string, err error) {
	mark = newID()
	set, err := settings(r, q, streamed, mark)
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
	return s, mark, nil
}

// settings is the SET for a request; later ones win.
func settings(r *http.Request, q *request, streamed bool, mark string) (string, error) {
	all := []param{{"implicit_select", "0"}}
	if !streamed {
		all = append(all, param{"max_result_bytes", fmt.Sprint(maxWholeResultBytes)})
	}
	all = append(append(all, q.settings...), param{"log_comment", mark})
	if r.Method == http.MethodGet {
		all = append(all, param{"readonly", "2"})
	}
	var sql strings.Builder
	for i, p := range all {
		if strings.Trim(p.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return "", fail(codeUnknownSetting, "UNKNOWN_SETTING", "Unknown setting %s", quote(p.name, '\''))
		}
		sql.WriteString([]string{"SET ", ", "}[min(i, 1)] + p.name + " = " + quote(p.value, '\''))
	}
	return sql.String(), nil
}

func quote(s string, mark byte) string {
	m := string(mark)
	return m + strings.NewReplacer(`\`, `\\`, m, `\`+m).Replace(s) + m
}

// query answers a statement whose text is complete.
func (g *gateway) query(s *session, st statement, streamed bool, out *output) error {
	if n := s.statements(st.sql); n > 1 {
		return fail(codeSyntaxError, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed): there are %d", n)
	}
	if streamed {
		err := s.rows(st, func(block []byte) error {
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
	summarize(out.w, written{s.lib.rowsWritten(r.handle), s.lib.bytesWritten(r.handle)})
	if len(r.bytes()) == 0 {
		return nil
	}
	_, err = out.Write(r.bytes())
	return err
}

// insert hands data to the engine as it comes. When it does not come to its end, nothing that is still in
// memory is written.
func (g *gateway) insert(s *session, q *request, text insertText, data io.Reader, out *output) error {
	in, err := s.insert(statement{sql: text.sql, format: text.format, params: q.params})
	if err != nil {
		return err
	}
	piece := make([]byte, insertPieceBytes)
	for {
		n, err := fill(data, piece)
		if !in.add(piece[:n]) {
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
	w, err := in.finish()
	if err != nil {
		return err
	}
	summarize(out.w, w)
	return nil
}

func summarize(w http.ResponseWriter, n written) {
	text, _ := json.Marshal(map[string]string{"written_rows": fmt.Sprint(n.rows), "written_bytes": fmt.Sprint(n.bytes)})
	w.Header().Set("X-ClickHouse-Summary", string(text))
}

// killWhenGone ends the marked query when its client leaves. The returned function ends the watch.
func (g *gateway) killWhenGone(ctx context.Context, mark string) (done func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		killer, err := g.engine.open()
		if err != nil {
			return // the query then runs to its end
		}
		defer killer.close()
		// The query may not have begun.
		for {
			_ = killer.exec("KILL QUERY WHERE Settings['log_comment'] = " + quote(mark, '\''))
			select {
			case <-over:
				return
			case <-time.After(killPause):
			}
		}
	})
	return func() {
		stop()
		close(over)
	}
}

func newID() string { return strings.ToLower(rand.Text()) }
