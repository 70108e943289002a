package retail

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/money"
)

// Reconciliation sets what the file says against what the log holds.
type Reconciliation struct {
	// Read is the file's own total; it must be Accepted plus Rejected.
	Read               Figures
	Accepted, Rejected Tally
	Logged             Logged
	Differences        []Difference
}

// Difference is one figure on which two sides disagree.
type Difference struct {
	// Where is "total", a month or a country.
	Where, Figure string
	// Expected is the file's side, Found the other.
	Expected, Found string
}

// Reconcile compares the book, less what the API refused, with the log. It never rounds.
func Reconcile(b *Book, refused Refused, logged Logged) Reconciliation {
	r := Reconciliation{
		Read: b.Read, Accepted: b.Accepted(refused), Rejected: b.RejectedTally(refused), Logged: logged,
	}
	r.compare("read", r.Read, r.Accepted.Total.Plus(r.Rejected.Total))
	r.compareLog("total", r.Accepted.Total, logged.Documents.Total, logged.Moved.Total)
	for _, m := range MonthNames(r.Accepted, logged.Documents, logged.Moved) {
		r.compareLog(m, r.Accepted.Months[m], logged.Documents.Months[m], logged.Moved.Months[m])
	}
	for _, c := range CountryNames(r.Accepted, logged.Documents, logged.Moved) {
		r.compareLog(c, r.Accepted.Countries[c], logged.Documents.Countries[c], logged.Moved.Countries[c])
	}
	return r
}

// OK reports whether every figure agrees.
func (r *Reconciliation) OK() bool { return len(r.Differences) == 0 }

func (r *Reconciliation) compareLog(where string, accepted, logged, moved Figures) {
	r.compare(where, accepted, logged)
	r.count(where, "units moved in stock", accepted.Quantity, moved.Quantity)
}

func (r *Reconciliation) compare(where string, expected, found Figures) {
	r.count(where, "documents", expected.Documents, found.Documents)
	r.count(where, "rows", expected.Rows, found.Rows)
	r.count(where, "quantity", expected.Quantity, found.Quantity)
	if expected.Micros != found.Micros {
		r.Differences = append(r.Differences, Difference{
			Where: where, Figure: "money", Expected: formatMoney(expected.Micros), Found: formatMoney(found.Micros),
		})
	}
}

func (r *Reconciliation) count(where, figure string, expected, found int64) {
	if expected != found {
		r.Differences = append(r.Differences, Difference{
			Where: where, Figure: figure, Expected: group(expected), Found: group(found),
		})
	}
}

// WriteText writes the reconciliation for people: totals, then month by month and country by country.
func (r *Reconciliation) WriteText(w io.Writer) error {
	months, countries := MonthNames(r.Accepted, r.Logged.Documents), CountryNames(r.Accepted, r.Logged.Documents)
	width := 0
	for _, name := range append([]string{"in the log"}, countries...) {
		width = max(width, utf8.RuneCountInString(name))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, f Figures, agrees string) {
		fmt.Fprintf(t, "  %-*s\t%s\t%s\t%s\t%s\t  %s\n",
			width, name, group(f.Documents), group(f.Rows), group(f.Quantity), formatMoney(f.Micros), agrees)
	}
	gap := func() { fmt.Fprintf(t, "\t\t\t\t\t\n") }
	fmt.Fprintf(t, "  %-*s\tdocuments\trows\tquantity\t%s\t\n", width, "", Currency)
	line("read", r.Read, r.mark("read"))
	line("rejected", r.Rejected.Total, "")
	line("accepted", r.Accepted.Total, "")
	line("in the log", r.Logged.Documents.Total, r.mark("total"))
	gap()
	for _, m := range months {
		line(m, r.Logged.Documents.Months[m], r.mark(m))
	}
	gap()
	for _, c := range countries {
		line(c, r.Logged.Documents.Countries[c], r.mark(c))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write reconciliation: %w", err)
	}
	return r.writeVerdict(w)
}

func (r *Reconciliation) mark(where string) string {
	for _, d := range r.Differences {
		if d.Where == where {
			return "DIFFERS"
		}
	}
	return "agrees"
}

const maxDifferencesShown = 20

func (r *Reconciliation) writeVerdict(w io.Writer) error {
	var b strings.Builder
	if r.Logged.Others > 0 {
		fmt.Fprintf(&b, "\n  The log also holds %s imported documents of other files; they are not compared.\n", group(r.Logged.Others))
	}
	if r.OK() {
		fmt.Fprintf(&b, "\n  Reconciled: file and log agree in every figure, month and country.\n")
	} else {
		fmt.Fprintf(&b, "\n  NOT reconciled: %d figures differ.\n", len(r.Differences))
	}
	for i, d := range r.Differences {
		if i == maxDifferencesShown {
			fmt.Fprintf(&b, "    … and %d more\n", len(r.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "    %s, %s: the file has %s, found %s\n", d.Where, d.Figure, d.Expected, d.Found)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write reconciliation: %w", err)
	}
	return nil
}

const chartWidth = 40

// WriteRevenueChart draws the log's revenue by month as bars.
func (r *Reconciliation) WriteRevenueChart(w io.Writer) error {
	months := r.Logged.Documents.Months
	var most int64
	widest := 0
	for _, f := range months {
		most = max(most, f.Micros)
		widest = max(widest, len(wholeMoney(f.Micros)))
	}
	for _, m := range MonthNames(r.Logged.Documents) {
		f := months[m]
		bar := ""
		if most > 0 && f.Micros > 0 {
			bar = eighths(f.Micros, most)
		}
		padding := strings.Repeat(" ", chartWidth-utf8.RuneCountInString(bar))
		if _, err := fmt.Fprintf(w, "  %s  %s%s  %*s\n", m, bar, padding, widest, wholeMoney(f.Micros)); err != nil {
			return fmt.Errorf("write chart: %w", err)
		}
	}
	return nil
}

// eighths draws a bar in steps of an eighth of a character.
func eighths(value, most int64) string {
	steps := int(float64(value) / float64(most) * chartWidth * 8)
	bar := strings.Repeat("█", steps/8)
	if rest := steps % 8; rest > 0 {
		bar += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return bar
}

func wholeMoney(micros int64) string {
	return group((micros + money.MicrosPerUnit/2) / money.MicrosPerUnit)
}

// formatMoney writes an amount exactly, with thousands apart and at least the three decimals of the data set's prices.
func formatMoney(micros int64) string {
	whole, decimals, _ := strings.Cut(money.Format(micros), ".")
	return groupDigits(whole) + "." + decimals + strings.Repeat("0", max(0, 3-len(decimals)))
}

// group writes a number with its thousands apart.
func group(n int64) string { return groupDigits(fmt.Sprint(n)) }

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
