package insight

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Within is the definition limited to rows whose time is not before from, and before to; nil: no limit. It is another
// version: its fingerprint is another.
func (d *Definition) Within(from, to *time.Time) *Definition {
	if from == nil && to == nil {
		return d
	}
	limited := *d
	condition := func(operator string, at *time.Time) {
		if at == nil {
			return
		}
		sql := fmt.Sprintf("time %s toDateTime64('%s', 6, 'UTC')", operator, at.UTC().Format("2006-01-02 15:04:05.000000"))
		if limited.Where.SQL != "" {
			sql = "(" + limited.Where.SQL + ") AND " + sql
		}
		limited.Where.SQL = sql
	}
	condition(">=", from)
	condition("<", to)
	return &limited
}

// HasTopic reports whether the source has rows of a topic's events.
func (s *Source) HasTopic(topic string) bool {
	switch s.Table {
	case "events":
		return true
	case "stock_ledger":
		return topic == eventlog.TopicInventory
	}
	return topic == eventlog.TopicOrders
}

// in is the source's table in another database.
func (s *Source) in(database string) string { return "`" + database + "`." + s.Table }

// SegmentBegin is the begin of the segment that an offset is in.
func (v *Version) SegmentBegin(offset int64) int64 { return v.begin(offset) }
