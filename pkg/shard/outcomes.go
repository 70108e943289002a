package shard

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/problem"
)

// commandOutcomes counts what became of the commands of one type, as the replica saw it that took them from clients. A
// command that was handed to another replica is counted by the first one alone.
type commandOutcomes struct{ done, repeated, refused, overloaded, unavailable prometheus.Counter }

// otherCommands is the type in metrics of commands that Config.CommandTypes does not list.
const otherCommands = "other"

func newCommandsTotal() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_commands_total",
		Help: "Commands that clients gave to this replica and that have ended, by type and outcome: done; repeated, with a " +
			"key that was done before; refused, by a rule; overloaded, answered 429; unavailable, answered 503.",
	}, []string{"command", "outcome"})
}

// outcomesByType has the counters of each type, so that counting a command allocates nothing. All begin at 0: a rate of
// the first refusal is seen too.
func outcomesByType(total *prometheus.CounterVec, types []string) map[string]*commandOutcomes {
	byType := map[string]*commandOutcomes{}
	for _, typ := range append([]string{otherCommands}, types...) {
		count := func(outcome string) prometheus.Counter { return total.WithLabelValues(typ, outcome) }
		byType[typ] = &commandOutcomes{
			done: count("done"), repeated: count("repeated"), refused: count("refused"),
			overloaded: count("overloaded"), unavailable: count("unavailable"),
		}
	}
	return byType
}

// outcomesOf are the counters of a command's type.
func (m *metrics) outcomesOf(typ string) *commandOutcomes {
	if counters := m.outcomes[typ]; counters != nil {
		return counters
	}
	return m.outcomes[otherCommands]
}

// note counts a command by its outcome. Commands that nobody counts have nil.
func (c *commandOutcomes) note(r *Result) {
	switch {
	case c == nil:
	case r.Code == problem.TooManyRequests:
		c.overloaded.Inc()
	case r.Code == problem.Unavailable:
		c.unavailable.Inc()
	case r.Code != "":
		c.refused.Inc()
	case r.Repeated:
		c.repeated.Inc()
	default:
		c.done.Inc()
	}
}
