// Package api is generated from schemas/openapi.yaml: the API's types and its routes. Package httpapi
// answers them; a test there compares its routes with these.
package api

//go:generate go tool oapi-codegen -config oapi-codegen.yaml ../../../schemas/openapi.yaml
