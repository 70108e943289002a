// Package insights has the definitions of the ready insights.
package insights

import (
	"embed"
	"io/fs"
)

//go:embed *.yaml
var files embed.FS

// Ready are the texts of the ready definitions, by file name.
func Ready() (map[string][]byte, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	ready := map[string][]byte{}
	for _, name := range names {
		if ready[name], err = files.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return ready, nil
}
