package queries

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
)

// reportFormat is how a page is written. CSV has no pages: csvStream writes all rows.
type reportFormat struct {
	contentType []string
	write       func(b []byte, page *page) []byte
	isCSV       bool
}

// page is a page of a report, or of an answer of an insight.
type page struct {
	rows int
	// appendRow appends row i as a JSON object.
	appendRow func(b []byte, i int) []byte
	next      string
	freshness
	// appendMore appends further members of the JSON object, each behind a comma; nil: there are none.
	appendMore func(b []byte) []byte
}

// freshness is up to which event an answer is.
type freshness struct {
	position eventlog.Position
	of       eventlog.Incarnation
	age      time.Duration // below 0: it is not known
}

func (f freshness) set(header http.Header) {
	if !f.position.IsZero() {
		header["Holdfast-Position"] = []string{f.of.Text(f.position)}
	}
	if f.age >= 0 {
		header["Holdfast-Age-Ms"] = []string{strconv.FormatInt(f.age.Milliseconds(), 10)}
	}
}

// answer answers with a page, and says how fresh it is.
func (f reportFormat) answer(c echo.Context, p *page) error {
	header := c.Response().Header()
	p.set(header)
	if p.next != "" {
		header["Holdfast-Next-Cursor"] = []string{p.next}
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = f.write(buf.B, p)
	return httpapi.WriteBody(c, http.StatusOK, f.contentType, buf.B)
}

// mediaType is what Accept may ask for.
type mediaType struct{ main, sub string }

// reportFormats are those offered; the first is for whoever has no preference.
var reportFormats = []struct {
	mediaType
	reportFormat
}{
	{mediaType{"application", "json"}, reportFormat{contentType: httpapi.JSONContentType, write: appendPage}},
	{mediaType{"application", "x-ndjson"}, reportFormat{contentType: httpapi.LinesContentType, write: appendLines}},
	{mediaType{"text", "csv"}, reportFormat{isCSV: true}},
}

// accepted is an element of Accept: a type, which may be *, and how much it is wanted.
type accepted struct {
	mediaType
	quality float64
}

// chooseFormat finds the format of a report that the client wants most.
func chooseFormat(header http.Header) (reportFormat, error) {
	offered := make([]mediaType, len(reportFormats))
	for i, format := range reportFormats {
		offered[i] = format.mediaType
	}
	best, err := chooseType(header, offered...)
	if err != nil {
		return reportFormat{}, err
	}
	return reportFormats[best].reportFormat, nil
}

// chooseType finds what the client wants most, as RFC 9110 (12.5.1) has it: for each type the most specific element
// that matches it counts. Of equal wishes the one that is more specific wins, then the one that stands first. The first
// type is for whoever has no wish.
func chooseType(header http.Header, offered ...mediaType) (int, error) {
	wishes := parseAccept(header["Accept"])
	if len(wishes) == 0 {
		return 0, nil
	}
	best, wanted := -1, rank{}
	names := make([]string, len(offered))
	for i, t := range offered {
		names[i] = t.main + "/" + t.sub
		if r := rankOf(t, wishes); r.quality > 0 && (best < 0 || r.better(wanted)) {
			best, wanted = i, r
		}
	}
	if best < 0 {
		return 0, problem.New(problem.NotAcceptable, "Offered here: "+strings.Join(names, ", ")+".")
	}
	return best, nil
}

// rank is how much a format is wanted.
type rank struct {
	quality     float64
	specificity int // 1: */*, 2: text/*, 3: text/csv
	place       int
}

func (r rank) better(than rank) bool {
	if r.quality != than.quality {
		return r.quality > than.quality
	}
	if r.specificity != than.specificity {
		return r.specificity > than.specificity
	}
	return r.place < than.place
}

func rankOf(format mediaType, wishes []accepted) (r rank) {
	for place, wish := range wishes {
		specificity := 0
		switch wish.mediaType {
		case format:
			specificity = 3
		case mediaType{format.main, "*"}:
			specificity = 2
		case mediaType{"*", "*"}:
			specificity = 1
		}
		if specificity > r.specificity {
			r = rank{wish.quality, specificity, place}
		}
	}
	return r
}

// parseAccept passes over what is not well-formed. Parameters other than q select nothing here.
func parseAccept(values []string) []accepted {
	var wishes []accepted
	for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameters, err := mime.ParseMediaType(element)
		main, sub, ok := strings.Cut(name, "/")
		if err != nil || !ok {
			continue
		}
		wish := accepted{mediaType{main, sub}, 1}
		if q, given := parameters["q"]; given {
			if wish.quality, err = strconv.ParseFloat(q, 64); err != nil || !(wish.quality >= 0 && wish.quality <= 1) {
				continue
			}
		}
		wishes = append(wishes, wish)
	}
	return wishes
}

func appendPage(b []byte, p *page) []byte {
	b = append(b, `{"items":[`...)
	for i := range p.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.appendRow(b, i)
	}
	b = append(b, ']')
	if p.next != "" {
		b = appendjson.Member(b, "next_cursor", p.next)
	}
	b = appendjson.String(append(b, `,"position":`...), p.of.Text(p.position))
	if p.age >= 0 {
		b = appendjson.Int(b, "age_ms", p.age.Milliseconds())
	}
	if p.appendMore != nil {
		b = p.appendMore(b)
	}
	return append(b, '}')
}

func appendLines(b []byte, p *page) []byte {
	for i := range p.rows {
		b = append(p.appendRow(b, i), '\n')
	}
	return b
}
