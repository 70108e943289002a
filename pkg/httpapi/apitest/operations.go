package apitest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Operation is a method of a path, with what the document says of it.
type Operation struct {
	ID, Method, Path string
	// Tag is the group that it is in.
	Tag string
	// Codes are those of refusals, by status.
	Codes map[int][]string
	// Examples are the bodies that the document shows, by name, and MediaType what they are.
	Examples  map[string]string
	MediaType string
	// Scopes are sets of which an API key needs one, with all that is in it; none: the operation needs no key.
	Scopes [][]string
	path   *regexp.Regexp
}

func (o *Operation) matches(path string) bool { return o.path.MatchString(path) }

// code finds what stands between backticks: codes, in descriptions of refusals.
var code = regexp.MustCompile("`([a-z_]+)`")

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// Operations lists all operations, by path.
func (d *Document) Operations() []Operation {
	var all []Operation
	paths := at(d.raw, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := at(paths, path)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			spec := at(methods, method)
			o := Operation{
				Method: strings.ToUpper(method), Path: path, Codes: map[int][]string{}, Examples: map[string]string{},
				path: regexp.MustCompile("^" + parameter.ReplaceAllString(path, "[^/]+") + "$"),
			}
			o.ID, _ = spec["operationId"].(string)
			if tags, _ := spec["tags"].([]any); len(tags) > 0 {
				o.Tag, _ = tags[0].(string)
			}
			o.Scopes = scopes(spec)
			for status := range at(spec, "responses") {
				n, _ := strconv.Atoi(status)
				o.Codes[n] = d.codes(at(spec, "responses", status), n)
			}
			body := at(spec, "requestBody")
			if ref, _ := body["$ref"].(string); ref != "" {
				body = at(d.raw, "components", "requestBodies", ref[strings.LastIndex(ref, "/")+1:])
			}
			for media, content := range at(body, "content") {
				o.MediaType = media
				o.Examples = examples(content)
			}
			all = append(all, o)
		}
	}
	return all
}

// IsRead reports whether the read side serves the operation.
func (o *Operation) IsRead() bool {
	return slices.Contains([]string{"queries", "reports", "insights", "replays"}, o.Tag)
}

// IsCommand reports whether the operation changes orders or stock.
func (o *Operation) IsCommand() bool {
	return !o.IsRead() && o.Tag != "keys" && o.Tag != "locations" && strings.HasPrefix(o.Path, "/v1/")
}

// scopes are those that the security requirements of an operation list, each of which is enough.
func scopes(spec map[string]any) (all [][]string) {
	requirements, _ := spec["security"].([]any)
	for _, requirement := range requirements {
		schemes, _ := requirement.(map[string]any)
		names, _ := schemes["apiKey"].([]any)
		var set []string
		for _, name := range names {
			text, _ := name.(string)
			set = append(set, text)
		}
		all = append(all, set)
	}
	return all
}

// codes are those that a response names: in its own description, or else in the examples of what it refers to. Those of
// any request stand in the document's description.
func (d *Document) codes(response map[string]any, status int) []string {
	if status < 400 {
		return nil
	}
	own, _ := response["description"].(string)
	codes := codesIn(own)
	if ref, _ := response["$ref"].(string); ref != "" && len(codes) == 0 {
		name := ref[strings.LastIndex(ref, "/")+1:]
		for _, body := range examples(at(d.raw, "components", "responses", name, "content", "application/problem+json")) {
			var p struct {
				Code string `json:"code"`
			}
			if json.Unmarshal([]byte(body), &p) == nil {
				codes = append(codes, p.Code)
			}
		}
	}
	if status == 400 {
		about, _ := at(d.raw, "info")["description"].(string)
		_, about, _ = strings.Cut(about, "Besides, any command")
		about, _, _ = strings.Cut(about, "| limit |")
		codes = append(codes, codesIn(about)...)
	}
	return codes
}

func codesIn(text string) (codes []string) {
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		codes = append(codes, m[1])
	}
	return codes
}

// examples are the values of a content's example or examples, as JSON; a string stands for itself.
func examples(content any) map[string]string {
	c, _ := content.(map[string]any)
	values := map[string]any{}
	if one, ok := c["example"]; ok {
		values["example"] = one
	}
	for name := range at(c, "examples") {
		values[name] = at(c, "examples", name)["value"]
	}
	out := map[string]string{}
	for name, value := range values {
		if text, ok := value.(string); ok {
			out[name] = text
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // it was read from JSON
		}
		out[name] = string(text)
	}
	return out
}

// at goes down into nested objects; nil where there is none.
func at(object map[string]any, names ...string) map[string]any {
	for _, name := range names {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// Enum are the words of a schema, which the path leads to below components/schemas: "AdjustStock", or "ReturnedLine",
// "properties", "condition".
func (d *Document) Enum(path ...string) []string {
	list, _ := at(d.raw, append([]string{"components", "schemas"}, path...)...)["enum"].([]any)
	words := make([]string, 0, len(list))
	for _, word := range list {
		if text, ok := word.(string); ok {
			words = append(words, text)
		}
	}
	return words
}

// MaxLengths are the limits of a string member, by the schema that has it; schemas that set none are left out.
func (d *Document) MaxLengths(member string) map[string]int { return d.limits(member, "maxLength") }

// MaxItems are those of an array.
func (d *Document) MaxItems(member string) map[string]int { return d.limits(member, "maxItems") }

func (d *Document) limits(member, keyword string) map[string]int {
	limits := map[string]int{}
	schemas := at(d.raw, "components", "schemas")
	for name := range schemas {
		property := at(schemas, name, "properties", member)
		if ref, ok := property["$ref"].(string); ok {
			property = at(schemas, ref[strings.LastIndex(ref, "/")+1:])
		}
		if limit, ok := property[keyword].(float64); ok {
			limits[name] = int(limit)
		}
	}
	return limits
}
