package retail

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// WriteRejects writes the rows that were not imported as CSV: line, reason, then the row as it is in the file.
// Documents that the API refused follow with one line each. Their rows are in the file under their InvoiceNo.
func (b *Book) WriteRejects(w io.Writer, refused Refused) error {
	c := csv.NewWriter(w)
	if err := c.Write(append([]string{"Line", "Reason"}, Columns...)); err != nil {
		return fmt.Errorf("write rejects: %w", err)
	}
	for i := range b.Rejected {
		r := &b.Rejected[i]
		if err := c.Write(append([]string{strconv.Itoa(r.Line), r.Reason}, r.Record...)); err != nil {
			return fmt.Errorf("write rejects: %w", err)
		}
	}
	for _, d := range b.Documents {
		if reason, ok := refused[d.Key()]; ok && d.Kind != KindAdjustment {
			if err := c.Write([]string{"", reason, d.InvoiceNo, "", "", "", "", "", d.CustomerID, d.Country}); err != nil {
				return fmt.Errorf("write rejects: %w", err)
			}
			continue
		}
		for j := range d.Lines {
			l := &d.Lines[j]
			reason, ok := refused[d.LineKey(l)]
			if !ok || d.Kind != KindAdjustment {
				continue
			}
			quantity := strconv.FormatInt(l.Quantity, 10)
			row := []string{"", reason, d.InvoiceNo, l.SKU, "", quantity, "", "", d.CustomerID, d.Country}
			if err := c.Write(row); err != nil {
				return fmt.Errorf("write rejects: %w", err)
			}
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write rejects: %w", err)
	}
	return nil
}

// Reasons counts the reasons for which rows were rejected on reading, and commands by the API.
func (b *Book) Reasons(refused Refused) map[string]int64 {
	reasons := map[string]int64{}
	for i := range b.Rejected {
		reasons[b.Rejected[i].Reason]++
	}
	for _, reason := range refused {
		reasons["refused by the API: "+reason]++
	}
	return reasons
}
