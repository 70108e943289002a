package clickhouse

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Operations of errors, in metrics.
const (
	opConnect = "connect"
	opQuery   = "query"
	opExecute = "execute"
	opInsert  = "insert"
	opOther   = "other" // migrations, versions
)

func newErrorsTotal() *prometheus.CounterVec {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_clickhouse_errors_total",
		Help: "Calls of ClickHouse that failed, by operation: connect, query, execute, insert or other.",
	}, []string{"operation"})
	for _, op := range []string{opConnect, opQuery, opExecute, opInsert, opOther} {
		total.WithLabelValues(op) // 0 from the start
	}
	return total
}

// Measure registers the connection's metrics. Connections of one process share them. Call it before the first use.
func (c *Conn) Measure(registerer prometheus.Registerer) error {
	if registerer == nil {
		return nil
	}
	err := registerer.Register(c.failures)
	if registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if shared, ok := registered.ExistingCollector.(*prometheus.CounterVec); ok {
			c.failures = shared
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("register the metrics of ClickHouse: %w", err)
	}
	return nil
}

// count counts an error of an operation, as explain has it: "insert into orders" is an insert.
func (c *Conn) count(op string) {
	if c.failures == nil { // a connection to look at another database
		return
	}
	name, _, _ := strings.Cut(op, " ")
	switch name {
	case opConnect, opQuery, opExecute, opInsert:
	default:
		name = opOther
	}
	c.failures.WithLabelValues(name).Inc()
}
