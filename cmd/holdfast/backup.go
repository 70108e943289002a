package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/backup"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/service"
)

func newLogExportCommand(log *logFlags) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "export FILE|FOLDER|-",
		Short: "Write the whole log into an archive",
		Long: `Write all events, layouts and decisions into one compressed, checksummed
archive, from which holdfast log import makes a platform again. Everything
else, checkpoints, views and ClickHouse, is built from these.

The archive is a state of the whole platform: every transaction is in it
whole, and everything that was acknowledged before the export began. Services
go on; owners of shards begin no transaction for some milliseconds at the
start.

In a folder the archive gets a name with the time. An export that was ended
goes on where it was when it is run again with the same FILE or FOLDER; until
then the name ends with .partial. With - the archive goes to the standard
output.`,
		Example: "  holdfast log export backups/\n  holdfast log export - | ssh safe 'cat > holdfast.hflog'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := log.open(c)
			if err != nil {
				return err
			}
			defer client.Close()
			progress := newBackupProgress(c.ErrOrStderr(), "exporting", "offsets")
			cfg := backup.ExportConfig{Client: client, Program: service.Version(), Observe: progress.show}
			report, summary := c.OutOrStdout(), (*backup.Exported)(nil)
			if args[0] == "-" {
				report = c.ErrOrStderr()
				summary, err = backup.Export(c.Context(), cfg, c.OutOrStdout())
			} else {
				summary, err = backup.ExportFile(c.Context(), cfg, args[0])
			}
			progress.close()
			if err != nil {
				return err
			}
			if out == outputJSON {
				return writeJSON(report, summary)
			}
			return printExported(report, summary, progress.took())
		},
	}
	out.flag(c.Flags())
	return c
}

func newLogImportCommand(log *logFlags) *cobra.Command {
	var out output
	var check bool
	var dir string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a platform from an archive",
		Long: `Write the archive of holdfast log export into a platform without data: topics
that do not exist yet get the archive's layout. The archive is checked as a
whole before anything is written. Stop all services of the platform meanwhile;
those that start are refused until it is done.

An import that was ended goes on where it was when it is run again: each
record is written exactly once. What clients see afterwards is what they saw,
but for positions and cursors of before, which are answered 409 log_restored.

With --check the archive is only checked.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if check {
				return checkArchive(c, args[0], out)
			}
			client, stop, err := openTarget(c, log, dir)
			if err != nil {
				return err
			}
			defer stop()
			progress := newBackupProgress(c.ErrOrStderr(), "importing", "records")
			imported, err := backup.ImportFile(c.Context(), backup.ImportConfig{
				Client: client, By: whoami(), Observe: progress.show,
			}, args[0])
			progress.close()
			switch {
			case err != nil:
				return err
			case out == outputJSON:
				return writeJSON(c.OutOrStdout(), imported)
			default:
				return printImported(c.OutOrStdout(), imported, progress.took())
			}
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`FOLDER` of a holdfast dev that does not run: import into its embedded broker")
	c.Flags().BoolVar(&check, "check", false, "check the archive, and write nothing")
	out.flag(c.Flags())
	return c
}

// openTarget connects to the platform to import into: on a cluster, or on the embedded broker with the log in a folder.
func openTarget(c *cobra.Command, log *logFlags, dir string) (client *eventlog.Client, stop func(), err error) {
	cfg, err := log.config(c)
	if err != nil {
		return nil, nil, err
	}
	endBroker := func() {}
	if dir != "" {
		if c.Flags().Changed("kafka") {
			return nil, nil, errors.New("--dir names an embedded broker, and --kafka a cluster: leave one out")
		}
		if cfg.Seeds, endBroker, err = startBroker(c.Context(), dir); err != nil {
			return nil, nil, err
		}
		cfg.Embedded = true
	}
	if client, err = openLog(c.Context(), cfg); err != nil {
		endBroker()
		return nil, nil, err
	}
	return client, func() { client.Close(); endBroker() }, nil
}

// checkArchive says whether an archive is complete and unaltered.
func checkArchive(c *cobra.Command, path string, out output) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the archive: %w", err)
	}
	defer file.Close()
	header, footer, err := backup.Check(file)
	if err != nil {
		return err
	}
	if out == outputJSON {
		return writeJSON(c.OutOrStdout(), backup.Exported{Path: path, Header: header, Footer: footer})
	}
	layout := header.Layout()
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s is complete: %s records of platform %s, %s, %s, exported at %s\n", path,
		count(footer.Records), header.Env, plural(int(layout.PartitionCount), "partition"),
		plural(int(layout.ShardCount), "shard"), formatTime(header.CreatedAt))
	return err
}

func printExported(out io.Writer, e *backup.Exported, took time.Duration) error {
	resumed := ""
	if e.ResumedRecords > 0 {
		resumed = fmt.Sprintf(", %s of them by an export that was ended", count(e.ResumedRecords))
	}
	_, err := fmt.Fprintf(out, "%s: %s records%s, %s bytes (%.0f a record, uncompressed %.0f) in %.1f s, "+
		"%s records/s\nSHA-256 %s\n",
		e.Path, count(e.Footer.Records), resumed, count(e.ArchiveBytes), perRecord(e.ArchiveBytes, e.Footer.Records),
		perRecord(e.Footer.Bytes, e.Footer.Records), took.Seconds(), perSecond(e.Footer.Records-e.ResumedRecords, took),
		e.Footer.SHA256)
	return err
}

func printImported(out io.Writer, i *backup.Imported, took time.Duration) error {
	resumed := ""
	if i.ResumedRecords > 0 {
		resumed = fmt.Sprintf(", %s of them by an import that was ended", count(i.ResumedRecords))
	}
	_, err := fmt.Fprintf(out, "%s records%s in %.1f s, %s records/s. The platform can be used: start its services, "+
		"with empty data folders and another ClickHouse database, or an empty one.\n",
		count(i.Footer.Records), resumed, took.Seconds(), perSecond(i.Footer.Records-i.ResumedRecords, took))
	return err
}

func perRecord(bytes, records int64) float64 { return float64(bytes) / float64(max(records, 1)) }

func perSecond(records int64, took time.Duration) string {
	return count(int64(float64(records) / max(took.Seconds(), 0.001)))
}

// backupProgress shows how far an export or an import is.
type backupProgress struct {
	part       partProgress
	verb, noun string
	began      time.Time
}

func newBackupProgress(out io.Writer, verb, noun string) *backupProgress {
	now := time.Now()
	return &backupProgress{partProgress{out: out, next: now.Add(progressLineEvery)}, verb, noun, now}
}

func (p *backupProgress) show(done, total int64) {
	p.part.show(fmt.Sprintf("%s: %s of %s %s (%.0f %%)", p.verb, count(done), count(total), p.noun,
		100*float64(done)/float64(max(total, 1))))
}

func (p *backupProgress) close() { p.part.close() }

func (p *backupProgress) took() time.Duration { return time.Since(p.began) }
