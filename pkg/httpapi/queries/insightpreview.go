package queries

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/problem"
)

// previewFile is the name of a definition that was sent, in messages.
const previewFile = "definition"

// preview checks a definition and answers it once, without keeping it. It may read the whole mirror, so a process does
// one at a time.
func (a *insightAPI) preview(c echo.Context) error {
	parameters, err := readQuery(c)
	if err != nil {
		return err
	}
	limit, err := previewLimit(parameters)
	if err != nil {
		return err
	}
	text, err := readDefinition(c)
	if err != nil {
		return err
	}
	d, err := insight.Parse(previewFile, text)
	if err != nil {
		return definitionProblem(err)
	}
	if !a.previewing.TryLock() {
		return &problem.Problem{
			Code: problem.PreviewBusy, RetryAfterSeconds: 1, Detail: "Another preview is under way here; it takes at most " +
				insight.ComputeTime.String() + ".",
		}
	}
	defer a.previewing.Unlock()
	ctx, conn := c.Request().Context(), a.store.Conn()
	if err := d.Validate(ctx, conn); err != nil {
		return definitionProblem(err)
	}
	answer, err := d.Preview(ctx, conn, limit)
	if err != nil {
		return definitionProblem(err)
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = appendjson.String(append(buf.B, `{"name":`...), d.Name)
	buf.B = appendjson.Member(buf.B, "fingerprint", d.Fingerprint())
	buf.B = append(buf.B, `,"items":[`...)
	for i, row := range answer.Rows {
		if i > 0 {
			buf.B = append(buf.B, ',')
		}
		buf.B = answer.AppendRow(buf.B, row)
	}
	buf.B = strconv.AppendBool(append(buf.B, `],"more":`...), answer.More)
	buf.B = append(buf.B, '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

func previewLimit(parameters url.Values) (int, error) {
	if err := onlyParameters(parameters, "limit"); err != nil || !parameters.Has("limit") {
		return DefaultReportPage, err
	}
	limit, err := strconv.Atoi(parameters.Get("limit"))
	if err != nil || limit < 1 || limit > insight.MaxPreviewRows {
		return 0, faultsOf([]problem.FieldError{
			{Pointer: "/limit", Detail: "must be from 1 to " + strconv.Itoa(insight.MaxPreviewRows)},
		})
	}
	return limit, nil
}

// readDefinition reads the text of a definition: the body as YAML, or a member of a JSON body.
func readDefinition(c echo.Context) ([]byte, error) {
	raw, err := httpapi.ReadBody(c, "application/yaml", "application/json")
	if err != nil {
		return nil, err
	}
	if httpapi.CheckMediaType(c, "application/yaml") == nil {
		return raw, nil
	}
	var sent struct {
		Definition string `json:"definition"`
	}
	body := input.Body{JSON: raw}
	if body.Read(&sent) && sent.Definition == "" {
		body.Fault(problem.MissingField, "/definition", "is the text of a definition, and is missing")
	}
	return []byte(sent.Definition), body.Problem()
}

// definitionProblem lists the faults of a definition with their lines and members.
func definitionProblem(err error) error {
	found, other := insight.Problems(err)
	if other != nil {
		return insightProblem(other)
	}
	p := &problem.Problem{Code: problem.InvalidDefinition}
	for i, fault := range found {
		if i < maxDefinitionFaults {
			p.Errors = append(p.Errors, problem.FieldError{
				Pointer: pointerOf(fault.Field), Detail: fault.Message, Line: fault.Line,
			})
		}
		if i == 0 {
			p.Detail = strings.TrimSpace(strings.TrimPrefix(fault.Error(), previewFile+":"))
		}
	}
	return p
}

// maxDefinitionFaults is how many faults of a definition a problem lists, as those of other bodies do.
const maxDefinitionFaults = 20

// pointerOf is a field such as rollups[0] or measures.revenue as a JSON Pointer.
func pointerOf(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(field)
}
