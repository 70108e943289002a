package queries

import (
	"encoding/csv"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/problem"
)

// reportFormat is how a page is written.
type reportFormat struct {
	contentType []string
	write       func(b []byte, page *analytics.Report, coverage analytics.Reached) []byte
}

// mediaType is what Accept may ask for.
type mediaType struct{ main, sub string }

var csvContentType = []string{"text/csv; charset=utf-8"}

// reportFormats are those offered; the first is for whoever has no preference.
var reportFormats = []struct {
	mediaType
	reportFormat
}{
	{mediaType{"application", "json"}, reportFormat{httpapi.JSONContentType, appendPage}},
	{mediaType{"application", "x-ndjson"}, reportFormat{httpapi.LinesContentType, appendLines}},
	{mediaType{"text", "csv"}, reportFormat{csvContentType, appendCSV}},
}

// accepted is an element of Accept: a type, which may be *, and how much it is wanted.
type accepted struct {
	mediaType
	quality float64
}

// chooseFormat finds what the client wants most, as RFC 9110 (12.5.1) has it: for each format the most specific element
// that matches it counts. Of equal wishes the one that is more specific wins, then the one that stands first.
func chooseFormat(header http.Header) (reportFormat, error) {
	wishes := parseAccept(header["Accept"])
	if len(wishes) == 0 {
		return reportFormats[0].reportFormat, nil
	}
	best, wanted := -1, rank{}
	for i, format := range reportFormats {
		if r := rankOf(format.mediaType, wishes); r.quality > 0 && (best < 0 || r.better(wanted)) {
			best, wanted = i, r
		}
	}
	if best < 0 {
		return reportFormat{}, problem.New(problem.NotAcceptable,
			"Offered here: application/json, application/x-ndjson, text/csv.")
	}
	return reportFormats[best].reportFormat, nil
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

func appendPage(b []byte, page *analytics.Report, coverage analytics.Reached) []byte {
	b = append(b, `{"items":[`...)
	for i, row := range page.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRow(b, page.Columns, row)
	}
	b = append(b, ']')
	if page.Next != "" {
		b = appendjson.String(append(b, `,"next_cursor":`...), page.Next)
	}
	b = appendjson.String(append(b, `,"position":`...), coverage.Position.String())
	if coverage.Age >= 0 {
		b = strconv.AppendInt(append(b, `,"age_ms":`...), coverage.Age.Milliseconds(), 10)
	}
	return append(b, '}')
}

func appendLines(b []byte, page *analytics.Report, _ analytics.Reached) []byte {
	for _, row := range page.Rows {
		b = append(appendRow(b, page.Columns, row), '\n')
	}
	return b
}

func appendRow(b []byte, columns []analytics.ReportColumn, row []string) []byte {
	b = append(b, '{')
	for i, col := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendjson.String(b, col.Name), ':')
		if col.Number {
			b = append(b, row[i]...)
		} else {
			b = appendjson.String(b, row[i])
		}
	}
	return append(b, '}')
}

func appendCSV(b []byte, page *analytics.Report, _ analytics.Reached) []byte {
	var text strings.Builder
	w := csv.NewWriter(&text)
	heading := make([]string, len(page.Columns))
	for i, col := range page.Columns {
		heading[i] = col.Name
	}
	_ = w.Write(heading) // a strings.Builder takes everything
	_ = w.WriteAll(page.Rows)
	return append(b, text.String()...)
}
