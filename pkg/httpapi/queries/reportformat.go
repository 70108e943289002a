package queries

import (
	"encoding/csv"
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

var (
	csvContentType = []string{"text/csv; charset=utf-8"}
	reportFormats  = map[string]reportFormat{
		"application/json":     {httpapi.JSONContentType, appendPage},
		"application/x-ndjson": {httpapi.LinesContentType, appendLines},
		"text/csv":             {csvContentType, appendCSV},
	}
)

// chooseFormat takes the first type in Accept that is offered; weights are passed over, but for q=0.
func chooseFormat(header http.Header) (reportFormat, error) {
	accept := strings.Join(header["Accept"], ",")
	if strings.TrimSpace(accept) == "" {
		return reportFormats["application/json"], nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if weight := strings.ReplaceAll(parameters, " ", ""); weight == "q=0" || weight == "q=0.0" {
			continue
		}
		switch name {
		case "*/*", "application/*":
			name = "application/json"
		case "text/*":
			name = "text/csv"
		}
		if format, ok := reportFormats[name]; ok {
			return format, nil
		}
	}
	return reportFormat{}, problem.New(problem.NotAcceptable,
		"Offered here: application/json, application/x-ndjson, text/csv.")
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
