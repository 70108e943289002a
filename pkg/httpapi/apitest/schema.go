package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/jsonschema/v6"
)

// documentURL stands for the document where a schema is named by its pointer.
const documentURL = "openapi.json"

// escape finds \u0085 in a pattern: ECMAScript and most others write characters so, Go writes \x{0085}.
var escape = regexp.MustCompile(`\\u([0-9a-f]{4})`)

// patterns reads the patterns of the document.
func patterns(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(escape.ReplaceAllString(pattern, `\x{$1}`))
}

// newCompiler compiles schemas by their pointers into the document.
func newCompiler(raw map[string]any) (*jsonschema.Compiler, error) {
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseRegexpEngine(patterns)
	return c, c.AddResource(documentURL, document)
}

// Conforms says whether JSON is what the schema at a pointer describes, such as "/components/schemas/SKU"; nil: it is.
func (d *Document) Conforms(pointer string, text []byte) error {
	schema, err := d.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Example is a value that the document shows for the schema at a pointer.
type Example struct {
	Pointer string
	JSON    []byte
}

// AllExamples are the examples of bodies, parameters and headers, wherever they stand.
func (d *Document) AllExamples() []Example { return examplesBelow("", d.raw) }

func examplesBelow(pointer string, value any) (all []Example) {
	switch node := value.(type) {
	case []any:
		for i, element := range node {
			all = append(all, examplesBelow(pointer+"/"+strconv.Itoa(i), element)...)
		}
	case map[string]any:
		if _, ok := node["schema"].(map[string]any); ok {
			shown := examples(node)
			for _, name := range slices.Sorted(maps.Keys(shown)) {
				text := shown[name]
				isText := at(node, "schema")["type"] == "string" || !json.Valid([]byte(text))
				if isText || strings.Contains(pointer, "/parameters/") {
					text = strconv.Quote(text) // examples leaves strings as they are
				}
				all = append(all, Example{pointer + "/schema", []byte(text)})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(node)) {
			if name != "example" && name != "examples" {
				escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
				all = append(all, examplesBelow(pointer+"/"+escaped, node[name])...)
			}
		}
	}
	return all
}

func (e Example) String() string { return fmt.Sprintf("%s: %s", e.Pointer, e.JSON) }
