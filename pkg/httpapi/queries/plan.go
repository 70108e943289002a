package queries

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/replay"
)

const (
	// MaxPlanDefinitions is how many definitions a plan may have.
	MaxPlanDefinitions = 100
	// PlanTimeout bounds a plan: the examples of its definitions are run, and samples computed. It is less than
	// httpapi.WriteTimeout.
	PlanTimeout = 80 * time.Second
	// PlanSampleTime bounds the samples of a plan together. What has none in time has an estimate without time and bytes.
	PlanSampleTime = 30 * time.Second
)

// planBody is the body of POST /v1/insights/plan.
type planBody struct {
	Definitions []planFile `json:"definitions"`
}

type planFile struct {
	File       string `json:"file"`
	Definition string `json:"definition"`
}

// planJSON says what it takes to make definitions live.
type planJSON struct {
	Items []planItem `json:"items"`
	// WithoutFile are insights that are live, and that no definition of the plan is of.
	WithoutFile []string `json:"without_file"`
	Position    string   `json:"position"`
}

type planItem struct {
	File            string           `json:"file,omitzero"`
	Insight         string           `json:"insight"`
	Change          insight.Change   `json:"change"`
	Fingerprint     string           `json:"fingerprint"`
	LiveFingerprint string           `json:"live_fingerprint,omitzero"`
	LiveReplayID    string           `json:"live_replay_id,omitzero"`
	Differences     []differenceJSON `json:"differences"`
	// Pending is the newest replay of the same version that is not live.
	Pending  *pendingJSON  `json:"pending,omitzero"`
	Estimate *estimateJSON `json:"estimate,omitzero"`
}

type differenceJSON struct {
	Field string `json:"field"`
	Live  string `json:"live,omitzero"`
	File  string `json:"file,omitzero"`
}

type pendingJSON struct {
	ReplayID string        `json:"replay_id"`
	Phase    catalog.Phase `json:"phase"`
}

type estimateJSON struct {
	Offsets    int64 `json:"offsets"`
	SourceRows int64 `json:"source_rows"`
	// Seconds and Bytes are nil where they are not known.
	Seconds       *float64     `json:"seconds,omitzero"`
	Bytes         *int64       `json:"bytes,omitzero"`
	Basis         replay.Basis `json:"basis"`
	ReplayID      string       `json:"replay_id,omitzero"`
	SampleOffsets int64        `json:"sample_offsets,omitzero"`
}

// plan compares definitions with what is live. It changes nothing.
func (a *replayAPI) plan(c echo.Context) error {
	raw, err := httpapi.ReadBody(c)
	if err != nil {
		return err
	}
	files, err := readPlan(raw)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), PlanTimeout)
	defer cancel()
	definitions, err := a.validate(ctx, files)
	if err != nil {
		return err
	}
	end, err := a.service.Position(ctx)
	if err != nil {
		return insightProblem(err)
	}
	plan := planJSON{Items: []planItem{}, WithoutFile: a.withoutFile(definitions), Position: end.String()}
	sampleUntil := time.Now().Add(PlanSampleTime)
	for i, d := range definitions {
		item, err := a.planOf(ctx, d, end, sampleUntil)
		if err != nil {
			return insightProblem(err)
		}
		item.File = files[i].File
		plan.Items = append(plan.Items, item)
	}
	return httpapi.WriteJSON(c, http.StatusOK, plan)
}

func readPlan(raw []byte) ([]planFile, error) {
	var sent planBody
	body := input.Body{JSON: raw}
	if !body.Read(&sent) {
		return nil, body.Problem()
	}
	switch n := len(sent.Definitions); {
	case n == 0:
		body.Missing("/definitions")
	case n > MaxPlanDefinitions:
		body.Fault(problem.InvalidReplay, "/definitions",
			"has "+strconv.Itoa(n)+" definitions; at most "+strconv.Itoa(MaxPlanDefinitions)+" are taken")
	}
	for i := range sent.Definitions {
		if sent.Definitions[i].Definition == "" {
			body.Missing("/definitions/" + strconv.Itoa(i) + "/definition")
		}
	}
	return sent.Definitions, body.Problem()
}

// validate checks all definitions, and lists the faults of all.
func (a *replayAPI) validate(ctx context.Context, files []planFile) ([]*insight.Definition, error) {
	var definitions []*insight.Definition
	var faulty *problem.Problem
	names := map[string]int{}
	for i, file := range files {
		d, err := insight.Parse(previewFile, []byte(file.Definition))
		switch first, twice := names[nameOf(d)]; {
		case err != nil:
		case twice:
			err = &insight.Problem{
				File: previewFile, Field: "name", Message: "is that of /definitions/" + strconv.Itoa(first) + " too",
			}
		default:
			d, err = a.service.Validate(ctx, previewFile, []byte(file.Definition))
		}
		var p *problem.Problem // of this definition
		switch {
		case err == nil:
			names[d.Name] = i
			definitions = append(definitions, d)
		case !errors.As(definitionProblem(err), &p) || p.Code != problem.InvalidDefinition:
			return nil, definitionProblem(err)
		case faulty == nil:
			faulty = &problem.Problem{Code: p.Code, Detail: p.Detail}
		}
		if p != nil {
			for _, fault := range p.Errors {
				fault.Pointer = "/definitions/" + strconv.Itoa(i) + fault.Pointer
				faulty.Errors = append(faulty.Errors, fault)
			}
		}
	}
	if faulty != nil {
		faulty.Errors = faulty.Errors[:min(len(faulty.Errors), limits.MaxFieldErrors)]
		return nil, faulty
	}
	return definitions, nil
}

func nameOf(d *insight.Definition) string {
	if d == nil {
		return ""
	}
	return d.Name
}

// withoutFile are the insights that are live and have no definition in the plan.
func (a *replayAPI) withoutFile(definitions []*insight.Definition) []string {
	names := []string{}
	for _, i := range a.service.Insights() {
		planned := slices.ContainsFunc(definitions, func(d *insight.Definition) bool { return d.Name == i.Name })
		if i.Live != nil && !planned {
			names = append(names, i.Name)
		}
	}
	return names
}

// planOf says what it takes to make a definition live.
func (a *replayAPI) planOf(
	ctx context.Context, d *insight.Definition, end eventlog.Position, sampleUntil time.Time,
) (planItem, error) {
	item := planItem{Insight: d.Name, Fingerprint: d.Fingerprint(), Differences: []differenceJSON{}}
	var live *insight.Definition
	if i := a.service.Insight(d.Name); i != nil && i.Live != nil {
		item.LiveFingerprint, item.LiveReplayID, live = i.Live.Fingerprint, i.Live.ID, i.Live.Definition
	}
	var differences []insight.FieldDifference
	item.Change, differences = insight.Changes(live, d)
	for _, f := range differences {
		item.Differences = append(item.Differences, differenceJSON(f))
	}
	if item.Change == insight.Unchanged {
		return item, nil
	}
	for _, r := range slices.Backward(a.service.Replays(d.Name)) {
		if r.Fingerprint == item.Fingerprint && !r.IsEnded() && r.Phase != catalog.Live && !r.IsPartial() {
			item.Pending = &pendingJSON{r.ID, r.Phase}
			break
		}
	}
	e, err := a.service.Estimate(ctx, d, end, sampleUntil)
	if err != nil {
		return item, err
	}
	item.Estimate = &estimateJSON{
		Offsets: e.Offsets, SourceRows: e.SourceRows, Basis: e.Basis, ReplayID: e.ReplayID, SampleOffsets: e.SampleOffsets,
	}
	if e.Basis != replay.Unknown {
		seconds := e.Duration.Seconds()
		item.Estimate.Seconds, item.Estimate.Bytes = &seconds, &e.Bytes
	}
	return item, nil
}
