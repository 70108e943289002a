package queries

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/problem"
)

// CSVTimeout is how long CSV may take from its request to its last row. It has all rows, so it may take longer than a
// page.
var CSVTimeout = analytics.WholeAnswer.Time

// Limits of CSV.
const (
	// csvWriteTimeout is how long a client may leave what was sent unread.
	csvWriteTimeout = 30 * time.Second
	csvBufferBytes  = 64 << 10
	// MaxCSVStreams is how many answers a replica sends as CSV at a time. Each holds a connection to ClickHouse, or a
	// snapshot of the orders, until its client has read it; pages have connections of their own left.
	MaxCSVStreams = 8
)

// rowsTrailer has the number of rows behind the heading. It comes behind the last one, so who has it has all rows.
const rowsTrailer = "Holdfast-Rows"

var csvContentType = []string{"text/csv; charset=utf-8"}

// errHeadersAlone ends the answer to a HEAD request.
var errHeadersAlone = errors.New("the answer has headers alone")

// csvStream writes the rows of an answer as CSV while they come from the mirror. An answer that fails on its way is cut
// off: the last chunk of HTTP is missing, and with it the trailer. A client takes that for an error; to a text that
// simply ends it would look whole. It is an analytics.Sink.
type csvStream struct {
	c      echo.Context
	places csvStreams
	// name is that of the file that a browser saves it in, without its end.
	name string
	freshness
	control *http.ResponseController
	buffer  *bufio.Writer
	csv     *csv.Writer
	safe    []string
	rows    int
	// begun: headers and the first part are on their way. What fails before that is answered as a problem.
	begun bool
}

// csvStreams are places for answers as CSV.
type csvStreams chan struct{}

// open takes a place. It refuses HTTP/1.0, in which an answer whose length is not known beforehand ends as the
// connection does.
func (places csvStreams) open(c echo.Context, name string) (*csvStream, error) {
	if !c.Request().ProtoAtLeast(1, 1) {
		return nil, problem.New(problem.NotAcceptable, "CSV is sent while it is read, and HTTP/1.0 cannot tell its end "+
			"from a break: use HTTP/1.1 (nginx: proxy_http_version 1.1).")
	}
	select {
	case places <- struct{}{}:
	default:
		return nil, &problem.Problem{
			Code: problem.TooManyRequests, RetryAfterSeconds: 1,
			Detail: fmt.Sprintf("There are %d answers as CSV on their way already: ask again when one has ended.",
				MaxCSVStreams),
		}
	}
	s := &csvStream{c: c, name: name, places: places, control: http.NewResponseController(c.Response().Writer)}
	s.allow(CSVTimeout + csvWriteTimeout)
	s.buffer = bufio.NewWriterSize(s, csvBufferBytes)
	s.csv = csv.NewWriter(s.buffer)
	return s, nil
}

// close gives the place back.
func (s *csvStream) close() { <-s.places }

// allow replaces the server's time limit for a whole answer.
func (s *csvStream) allow(d time.Duration) {
	// An error means a connection without deadlines, as in tests without a socket.
	_ = s.control.SetWriteDeadline(time.Now().Add(d))
}

// begin sends the headers.
func (s *csvStream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	header := s.c.Response().Header()
	s.set(header)
	header["Content-Type"] = csvContentType
	header["Content-Disposition"] = []string{`attachment; filename="` + s.name + `.csv"`}
	header["Trailer"] = []string{rowsTrailer}
	s.c.Response().WriteHeader(http.StatusOK)
}

// Begin writes the heading.
func (s *csvStream) Begin(columns []string) error {
	if s.c.Request().Method == http.MethodHead {
		s.begin()
		return errHeadersAlone
	}
	s.safe = make([]string, len(columns))
	return s.csv.Write(columns)
}

// Row writes a row.
func (s *csvStream) Row(values []string) error {
	for i, cell := range values {
		s.safe[i] = withoutFormula(cell)
	}
	s.rows++
	return s.csv.Write(s.safe)
}

// answer has ask send all rows to the stream. An error after the first part has no answer of its own: the server cuts
// the answer off.
func (s *csvStream) answer(ask func() error) error {
	switch err := ask(); {
	case errors.Is(err, errHeadersAlone):
		return nil
	case err != nil:
		return err
	}
	s.csv.Flush()
	if err := s.csv.Error(); err != nil {
		return err
	}
	s.c.Response().Header()[rowsTrailer] = []string{strconv.Itoa(s.rows)}
	return nil
}

// Write sends a part. Each has a time limit of its own.
func (s *csvStream) Write(b []byte) (int, error) {
	s.begin()
	s.allow(csvWriteTimeout)
	return s.c.Response().Write(b)
}

// refusePaging refuses the parameters that would leave rows out.
func refusePaging(has func(parameter string) bool, fault func(name, detail string)) {
	for _, name := range []string{"limit", "cursor"} {
		if has(name) {
			fault(name, "cannot be asked for with CSV, which has all rows: leave it out, or ask for JSON")
		}
	}
}

var csvNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// withoutFormula puts an apostrophe before a text that a spreadsheet would take for a formula, so that a customer's ID
// such as =HYPERLINK(…) runs nothing. Numbers stay as they are.
// Source: OWASP, CSV Injection.
func withoutFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) && !csvNumber.MatchString(cell) {
		return "'" + cell
	}
	return cell
}
