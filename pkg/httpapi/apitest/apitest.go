// Package apitest holds requests and answers of the API to schemas/openapi.yaml, for tests: a member that the
// document does not have, a status that an operation does not list, and a request that was taken and is not as
// described are faults, so that server and document cannot drift apart.
package apitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi/utils"
)

// Document is the OpenAPI document.
type Document struct {
	raw       map[string]any
	validator validator.Validator
	compiler  *jsonschema.Compiler
}

// Open reads the document, once a process: compiling its schemas takes a moment.
func Open(t testing.TB) *Document {
	t.Helper()
	d, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var open = sync.OnceValues(func() (*Document, error) {
	text, err := readDocument()
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, fmt.Errorf("parse the OpenAPI document: %w", err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("build the OpenAPI document: %w", err)
	}
	v := validator.NewValidatorFromV3Model(&model.Model, config.WithStrictMode(), config.WithFormatAssertions(),
		config.WithoutSecurityValidation(), // most tests run with access off
		config.WithRegexEngine(patterns),
		config.WithStrictIgnorePaths(
			"$.body.body.**",                               // a line of bulk has the body of its command
			"$.body.**metadata.**", "$.body.**metadata[**", // its keys are the client's
			"$.body[*].data.**", "$.body.data.**", // an event, which the Protobuf schema describes
		),
		config.WithStrictIgnoredHeadersExtra("Idempotency-Key")) // who sends one where it is not looked at does no harm
	v.SetDocument(document)
	d := &Document{validator: v}
	asJSON, err := utils.ConvertYAMLtoJSON(text)
	if err == nil {
		err = json.Unmarshal(asJSON, &d.raw)
	}
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document as JSON: %w", err)
	}
	if d.compiler, err = newCompiler(d.raw); err != nil {
		return nil, fmt.Errorf("compile the OpenAPI document: %w", err)
	}
	return d, nil
})

// readDocument reads the document of the module that the test runs in: go test runs in the folder of the package.
func readDocument() ([]byte, error) {
	root, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(root, "go.mod")); missing == nil {
			break
		}
		if root == filepath.Dir(root) {
			return nil, errors.New("no folder above the test has a go.mod")
		}
		root = filepath.Dir(root)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(root, "schemas", "openapi.yaml"))
}

// Check says what of an answer, and of a request that was taken, is not as the document has it; "" for nothing.
// Both bodies are given apart: those of request and response have been read.
func (d *Document) Check(request *http.Request, sent []byte, response *http.Response, got []byte) string {
	var p struct {
		Code string `json:"code"`
	}
	if request.Method == http.MethodHead {
		return "" // GET without its body
	}
	if response.StatusCode >= http.StatusBadRequest && json.Unmarshal(got, &p) == nil {
		switch p.Code {
		case "not_found", "method_not_allowed", "internal", "cross_origin", "unknown_host":
			return "" // no operation's answer
		}
	}
	exchange := *response
	exchange.Body = io.NopCloser(bytes.NewReader(got))
	_, errs := d.validator.ValidateHttpResponse(request, &exchange)
	if response.StatusCode < http.StatusBadRequest {
		again := request.Clone(request.Context())
		again.Body = io.NopCloser(bytes.NewReader(sent))
		_, more := d.validator.ValidateHttpRequest(again)
		errs = append(errs, more...)
	}
	var faults strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&faults, "%s: %s\n", err.Message, err.Reason)
		for _, s := range err.SchemaValidationErrors {
			fmt.Fprintf(&faults, "  %s: %s\n", s.FieldPath, s.Reason)
		}
	}
	if p.Code != "" {
		if codes := d.codesOf(request, response.StatusCode); !slices.Contains(codes, p.Code) {
			fmt.Fprintf(&faults, "the code %s is not among those of the operation: %v\n", p.Code, codes)
		}
	}
	return faults.String()
}

// codesOf are the codes that the document has for an operation and a status.
func (d *Document) codesOf(request *http.Request, status int) []string {
	for _, op := range d.Operations() {
		if op.Method == request.Method && op.matches(request.URL.EscapedPath()) {
			return op.Codes[status]
		}
	}
	return nil
}

// Transport passes requests on and holds each exchange to the document.
func Transport(t testing.TB) http.RoundTripper { return &transport{t, Open(t)} }

type transport struct {
	t testing.TB
	*Document
}

func (c *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	var sent []byte
	if request.Body != nil {
		var err error
		if sent, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(got))
	if faults := c.Check(request, sent, response, got); faults != "" {
		c.t.Errorf("%s %s: %d is not as schemas/openapi.yaml has it:\n%s%s", request.Method, request.URL, response.StatusCode,
			faults, got)
	}
	return response, nil
}
