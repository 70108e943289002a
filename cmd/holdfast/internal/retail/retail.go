// Package retail imports the UCI "Online Retail" data set, which has one CSV row for each line of an invoice. It reads
// the file, turns it into commands for the API, and reconciles the file with the log and ClickHouse. It also generates
// a retailer in the same form, for a demo without the file.
//
// The import uses the API like any client. Only the reconciliation reads the log and ClickHouse.
package retail

import (
	"strconv"
	"time"
)

// KeyPrefix begins the idempotency keys of an import. A second import of the same file sends the same keys, and so adds
// nothing.
const KeyPrefix = "online-retail/"

// Currency of every amount in the data set.
const Currency = "GBP"

// GuestCustomer is the customer of rows that name none.
const GuestCustomer = "guest"

// Kind is what a document becomes.
type Kind int

// The kinds of documents.
const (
	// KindOrder has the rows of a numeric invoice with a quantity above 0.
	KindOrder Kind = iota + 1
	// KindCreditNote has the rows of an invoice whose number begins with C.
	KindCreditNote
	// KindAdjustment has the rows of a numeric invoice with a quantity below 0 at price 0. They are stock that was lost or
	// damaged.
	KindAdjustment
)

// Line is one accepted row. Its quantity is as in the file, negative in credit notes and adjustments.
type Line struct {
	// Row counts the file's rows after the header from 1.
	Row             int
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
	// AmountMicros is Quantity times UnitPriceMicros, exact.
	AmountMicros int64
	// Reason is why an adjustment changed stock. The file has it in place of the description.
	Reason string
}

// Document is the rows of one invoice that have the same Kind, wherever they are in the file. Its time, customer and
// country are those of its first row.
type Document struct {
	Kind       Kind
	InvoiceNo  string
	CustomerID string
	Country    string
	// Time is the file's, taken as UTC.
	Time  time.Time
	Lines []Line
}

// Key is the document's idempotency key. Adjustments have a key for each line instead, LineKey.
func (d *Document) Key() string { return KeyPrefix + d.InvoiceNo }

// LineKey is the idempotency key of one line of an adjustment.
func (d *Document) LineKey(l *Line) string {
	return KeyPrefix + d.InvoiceNo + "/" + strconv.Itoa(l.Row)
}

// LineReference is the reference of an adjustment. It contains the country, which events of stock have no field for.
func (d *Document) LineReference(l *Line) string { return d.LineKey(l) + "/" + d.Country }

// Month is the document's month as in "2011-03".
func (d *Document) Month() string { return d.Time.Format(monthLayout) }

const monthLayout = "2006-01"

// Item is a stock code with the first description that the file gives it.
type Item struct {
	SKU         string
	Description string
}

// Rejection is a row, or a whole document, that was not imported.
type Rejection struct {
	// Line is the line in the file, counted from 1 with the header. Row counts rows after the header.
	Line, Row int
	// Record is the row as it is in the file.
	Record []string
	Reason string
	// Month and Country are what it is counted under, "?" if they could not be read.
	Month, Country string
	// Document is set on one rejected row of each document without accepted rows.
	Document     bool
	Quantity     int64
	AmountMicros int64
}

// Book is a file, read and grouped.
type Book struct {
	// Documents are in order of their time, then of the file.
	Documents []*Document
	// Items are in order of their first accepted row.
	Items    []Item
	Rejected []Rejection
	// Read counts every row, accepted or rejected.
	Read Figures
}
