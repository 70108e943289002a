package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// importJob is one import with its reconciliation: of a file, or of the demo's generated retailer.
type importJob struct {
	book   *retail.Book
	client *client.Client
	log    *eventlog.Client
	mirror *analytics.Reports // nil: the reconciliation leaves ClickHouse out
	// rejects is the file for rows that were not imported. Empty: they are only counted by reason.
	rejects string
	// out gets the result, and progress what is of interest only while the import runs.
	out, progress io.Writer
}

// run imports, prints what it does, and returns the reconciliation.
func (j *importJob) run(ctx context.Context) (*retail.Reconciliation, error) {
	before, err := retail.LogEnd(ctx, j.log)
	if err != nil {
		return nil, err
	}
	opening := j.book.Opening()
	fmt.Fprintf(j.out, "  %s rows read: %s documents, %s stock items\n",
		count(j.book.Read.Rows), count(j.book.Read.Documents), count(int64(len(j.book.Items))))
	fmt.Fprintf(j.out, "  %s units to receive before the first sale: for each item the most that its sales\n"+
		"  ever ran ahead of its returns, taking each day's sales first\n", count(opening.Units))
	start := time.Now()
	bar := newImportProgress(j.progress, j.book.AcceptedRows(), "rows")
	importer := &retail.Importer{Sender: retail.APISender{Client: j.client}, Progress: bar.show}
	refused, err := importer.Import(ctx, j.book)
	bar.close()
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	took := time.Since(start)
	if err := j.reject(refused); err != nil {
		return nil, err
	}
	logged, err := retail.FoldLog(ctx, j.log, j.book, before)
	if err != nil {
		return nil, err
	}
	var mirrored *retail.Mirrored
	if j.mirror != nil {
		if mirrored, err = retail.FoldMirror(ctx, j.mirror, j.book, logged.Position); err != nil {
			return nil, err
		}
	}
	r := retail.Reconcile(j.book, refused, logged, mirrored)
	fmt.Fprintf(j.out, "  %s rows imported in %.1f s, %s events added to the log\n",
		count(r.Accepted.Total.Rows), took.Seconds(), count(logged.Added))
	return &r, nil
}

// maxReasonsShown bounds the list of reasons. The rejects file has all.
const maxReasonsShown = 10

// reject prints why rows were not imported, and writes these rows to the rejects file.
func (j *importJob) reject(refused retail.Refused) error {
	reasons := j.book.Reasons(refused)
	if len(reasons) == 0 {
		return nil
	}
	where := ""
	if j.rejects != "" {
		f, err := os.Create(j.rejects)
		if err != nil {
			return fmt.Errorf("write rejects: %w", err)
		}
		if err := errors.Join(j.book.WriteRejects(f, refused), f.Close()); err != nil {
			return err
		}
		where = ", see " + j.rejects
	}
	fmt.Fprintf(j.out, "  refused%s:\n", where)
	shown := 0
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if shown++; shown > maxReasonsShown {
			fmt.Fprintf(j.out, "    … and %d more reasons\n", len(reasons)-maxReasonsShown)
			break
		}
		fmt.Fprintf(j.out, "    %s × %s\n", count(reasons[reason]), reason)
	}
	return nil
}
