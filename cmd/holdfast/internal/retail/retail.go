// Package retail reads the UCI "Online Retail" data set (one CSV row an invoice line), turns it into
// commands for the API, and reconciles what the file says with what the log holds. It also generates a
// retailer in the same form, for a demo without the file.
//
// It talks to Holdfast as any client does; only the reconciliation reads the log itself.
package retail

import (
	"strconv"
	"time"
)

// KeyPrefix begins the idempotency key of everything that an import sends. The keys are what makes an import
// repeatable: a second run sends the same ones and adds nothing.
const KeyPrefix = "online-retail/"

// Currency of every amount in the data set.
const Currency = "GBP"

// GuestCustomer stands for the rows without a customer.
const GuestCustomer = "guest"

// Kind says what a document becomes.
type Kind int

// The kinds of documents.
const (
	// KindOrder: the rows of a numeric invoice with a quantity above 0.
	KindOrder Kind = iota + 1
	// KindCreditNote: an invoice number that begins with C.
	KindCreditNote
	// KindAdjustment: rows of a numeric invoice with a quantity below 0, at price 0: stock that was lost or found broken.
	KindAdjustment
)

// Line is one accepted row. Quantity is as in the file: negative in credit notes and adjustments.
type Line struct {
	// Row counts the file's rows after the header from 1.
	Row             int
	SKU             string
	Quantity        int64
	UnitPriceMicros int64
	// AmountMicros is Quantity times UnitPriceMicros, exact.
	AmountMicros int64
	// Reason is why stock changed, for adjustments: what the file says in place of a description.
	Reason string
}

// Document is the rows of one invoice that have one Kind, wherever they stand in the file. Its time,
// customer and country are those of its first row.
type Document struct {
	Kind       Kind
	InvoiceNo  string
	CustomerID string
	Country    string
	// Time is the file's, taken as UTC.
	Time  time.Time
	Lines []Line
}

// Key is the document's idempotency key; adjustments have one for each line (see LineKey).
func (d *Document) Key() string { return KeyPrefix + d.InvoiceNo }

// LineKey is the idempotency key of one line of an adjustment.
func (d *Document) LineKey(l *Line) string {
	return KeyPrefix + d.InvoiceNo + "/" + strconv.Itoa(l.Row)
}

// LineReference is an adjustment's reference. It carries the country, which stock does not know otherwise.
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
	// Line in the file, from 1, the header included; Row counts rows after the header.
	Line, Row int
	// Record is the row as it stood there.
	Record []string
	Reason string
	// Month and Country are what it is counted under; "?" where they could not be read.
	Month, Country string
	// Document is set on one of the rejected rows of a document without any accepted row.
	Document     bool
	Quantity     int64
	AmountMicros int64
}

// Book is a file, read and grouped.
type Book struct {
	// Documents in the order of their time, then of the file.
	Documents []*Document
	// Items in order of first use in an accepted row.
	Items    []Item
	Rejected []Rejection
	// Read counts every row, before anything was decided about it.
	Read Figures
}
