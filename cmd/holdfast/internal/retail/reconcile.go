package retail

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/money"
)

// Reconciliation compares the file with the log and its mirror.
type Reconciliation struct {
	// Read is the file's total. It must be Accepted plus Rejected.
	Read               Figures
	Accepted, Rejected Tally
	Logged             Logged
	Mirrored           *Mirrored // nil: there is no mirror
	Differences        []Difference
}

// Difference is one figure on which two sides disagree.
type Difference struct {
	// Where is "total", a month or a country. Side is the side whose figure differs from the file's.
	Where, Side, Figure string
	// Expected is the file's figure, Found the other side's.
	Expected, Found string
}

// The sides that are compared with the file.
const (
	sideFile   = "the file itself"
	sideLog    = "the log"
	sideMirror = "ClickHouse"
)

// Reconcile compares the book, without what the API refused, with the log and the mirror, unless that is nil. It never
// rounds.
func Reconcile(b *Book, refused Refused, logged Logged, mirrored *Mirrored) Reconciliation {
	r := Reconciliation{
		Read: b.Read, Accepted: b.Accepted(refused), Rejected: b.RejectedTally(refused),
		Logged: logged, Mirrored: mirrored,
	}
	r.compare("read", sideFile, r.Read, r.Accepted.Total.Plus(r.Rejected.Total))
	r.compareSide(sideLog, logged.Documents, logged.Moved)
	if mirrored != nil {
		r.compareSide(sideMirror, mirrored.Documents, mirrored.Moved)
	}
	return r
}

// compareSide compares the file with the documents of a side, and with the units that it moved for them.
func (r *Reconciliation) compareSide(side string, documents, moved Tally) {
	compare := func(where string, accepted, found, moved Figures) {
		r.compare(where, side, accepted, found)
		r.count(where, side, "units moved in stock", accepted.Quantity, moved.Quantity)
	}
	compare("total", r.Accepted.Total, documents.Total, moved.Total)
	for _, m := range MonthNames(r.Accepted, documents, moved) {
		compare(m, r.Accepted.Months[m], documents.Months[m], moved.Months[m])
	}
	for _, c := range CountryNames(r.Accepted, documents, moved) {
		compare(c, r.Accepted.Countries[c], documents.Countries[c], moved.Countries[c])
	}
}

// OK reports whether every figure agrees.
func (r *Reconciliation) OK() bool { return len(r.Differences) == 0 }

func (r *Reconciliation) compare(where, side string, expected, found Figures) {
	r.count(where, side, "documents", expected.Documents, found.Documents)
	r.count(where, side, "rows", expected.Rows, found.Rows)
	r.count(where, side, "quantity", expected.Quantity, found.Quantity)
	if expected.Micros != found.Micros {
		r.Differences = append(r.Differences, Difference{
			Where: where, Side: side, Figure: "money",
			Expected: formatMoney(expected.Micros), Found: formatMoney(found.Micros),
		})
	}
}

func (r *Reconciliation) count(where, side, figure string, expected, found int64) {
	if expected != found {
		r.Differences = append(r.Differences, Difference{
			Where: where, Side: side, Figure: figure,
			Expected: FormatCount(expected), Found: FormatCount(found),
		})
	}
}

// WriteText writes the reconciliation as a table: totals, months and countries.
func (r *Reconciliation) WriteText(w io.Writer) error {
	months, countries := MonthNames(r.Accepted, r.Logged.Documents), CountryNames(r.Accepted, r.Logged.Documents)
	width := 0
	for _, name := range append([]string{"in the log", "in ClickHouse"}, countries...) {
		width = max(width, utf8.RuneCountInString(name))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, f Figures, agrees string) {
		fmt.Fprintf(t, "  %-*s\t%s\t%s\t%s\t%s\t  %s\n",
			width, name, FormatCount(f.Documents), FormatCount(f.Rows), FormatCount(f.Quantity), formatMoney(f.Micros), agrees)
	}
	gap := func() { fmt.Fprintf(t, "\t\t\t\t\t\n") }
	fmt.Fprintf(t, "  %-*s\tdocuments\trows\tquantity\t%s\t\n", width, "", Currency)
	line("read", r.Read, r.mark("read", ""))
	line("rejected", r.Rejected.Total, "")
	line("accepted", r.Accepted.Total, "")
	line("in the log", r.Logged.Documents.Total, r.mark("total", sideLog))
	if r.Mirrored != nil {
		line("in ClickHouse", r.Mirrored.Documents.Total, r.mark("total", sideMirror))
	}
	gap()
	for _, m := range months {
		line(m, r.Logged.Documents.Months[m], r.mark(m, ""))
	}
	gap()
	for _, c := range countries {
		line(c, r.Logged.Documents.Countries[c], r.mark(c, ""))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write reconciliation: %w", err)
	}
	return r.writeVerdict(w)
}

// mark tells whether a side agrees with the file. With the side "" it tells whether all of them do.
func (r *Reconciliation) mark(where, side string) string {
	for _, d := range r.Differences {
		if d.Where == where && (side == "" || d.Side == side) {
			return "DIFFERS"
		}
	}
	return "agrees"
}

const maxDifferencesShown = 20

func (r *Reconciliation) writeVerdict(w io.Writer) error {
	var b strings.Builder
	if r.Logged.Others > 0 {
		fmt.Fprintf(&b, "\n  The log also holds %s imported documents of other files; they are not compared.\n",
			FormatCount(r.Logged.Others))
	}
	if r.OK() {
		sides := "file and log"
		if r.Mirrored != nil {
			sides = "file, log and ClickHouse"
		}
		fmt.Fprintf(&b, "\n  Reconciled: %s agree in every figure, month and country.\n", sides)
	} else {
		fmt.Fprintf(&b, "\n  NOT reconciled: %d figures differ.\n", len(r.Differences))
	}
	for i, d := range r.Differences {
		if i == maxDifferencesShown {
			fmt.Fprintf(&b, "    … and %d more\n", len(r.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "    %s, %s: the file has %s, %s has %s\n", d.Where, d.Figure, d.Expected, d.Side, d.Found)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write reconciliation: %w", err)
	}
	return nil
}

const chartWidth = 40

// Bar is one bar of a chart.
type Bar struct {
	Name   string
	Micros int64
}

// WriteChart draws amounts as bars.
func WriteChart(w io.Writer, bars []Bar) error {
	var most int64
	widest := 0
	for _, bar := range bars {
		most = max(most, bar.Micros)
		widest = max(widest, len(wholeMoney(bar.Micros)))
	}
	for _, bar := range bars {
		drawn := ""
		if bar.Micros > 0 {
			drawn = drawBar(bar.Micros, most)
		}
		padding := strings.Repeat(" ", chartWidth-utf8.RuneCountInString(drawn))
		_, err := fmt.Fprintf(w, "  %s  %s%s  %*s\n", bar.Name, drawn, padding, widest, wholeMoney(bar.Micros))
		if err != nil {
			return fmt.Errorf("write chart: %w", err)
		}
	}
	return nil
}

// drawBar draws a bar with a resolution of an eighth of a character.
func drawBar(value, most int64) string {
	eighths := int(float64(value) / float64(most) * chartWidth * 8)
	bar := strings.Repeat("█", eighths/8)
	if last := eighths % 8; last > 0 {
		bar += string([]rune(" ▏▎▍▌▋▊▉")[last])
	}
	return bar
}

func wholeMoney(micros int64) string {
	return FormatCount((micros + money.MicrosPerUnit/2) / money.MicrosPerUnit)
}

// formatMoney writes an amount exactly, with commas between thousands and at least the decimals of the currency. Some
// prices of the data set have a third decimal.
func formatMoney(micros int64) string {
	whole, decimals, _ := strings.Cut(money.FormatIn(Currency, micros), ".")
	return groupDigits(whole) + "." + decimals
}

// FormatCount writes a number with commas between its thousands.
func FormatCount(n int64) string { return groupDigits(fmt.Sprint(n)) }

func groupDigits(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
