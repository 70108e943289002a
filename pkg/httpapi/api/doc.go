// Package api is generated from schemas/openapi.yaml: the API's types and its routes. Package httpapi
// answers them; a test there compares its routes with these.
package api

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-codegen.yaml ../../../schemas/openapi.yaml
