package eventlog

import "time"

// stepAhead is how far a partition may be ahead of the slowest, in the time of the log: little enough that what belongs
// together is still in memory where thousands of orders came a second, enough that where few came a fetch is not for one
// partition alone.
const stepAhead = time.Second

// step keeps the partitions of a reader side by side.
type step struct {
	r          *reader
	partitions map[TopicPartition]*stepped // that are not at their ends
}

type stepped struct {
	at    time.Time // of the last record; zero: none yet
	waits bool
}

func newStep(r *reader, start Offsets) *step {
	s := &step{r: r, partitions: make(map[TopicPartition]*stepped, len(start))}
	for tp := range start {
		s.partitions[tp] = &stepped{}
	}
	return s
}

// reached notes where a partition is.
func (s *step) reached(p partitionRecords, done bool) {
	if done {
		delete(s.partitions, p.tp)
		return
	}
	s.partitions[p.tp].at = p.records[len(p.records)-1].Timestamp
}

// keep lets those wait that are ahead, and go on that are so no more.
func (s *step) keep() {
	var slowest time.Time
	first := true
	for _, p := range s.partitions {
		if first || p.at.Before(slowest) {
			slowest, first = p.at, false
		}
	}
	var wait, resume []TopicPartition
	for tp, p := range s.partitions {
		switch ahead := p.at.Sub(slowest) > stepAhead; {
		case ahead && !p.waits:
			wait = append(wait, tp)
		case !ahead && p.waits:
			resume = append(resume, tp)
		default:
			continue
		}
		p.waits = !p.waits
	}
	if len(wait) > 0 {
		s.r.pause(wait...)
	}
	if len(resume) > 0 {
		s.r.resume(resume...)
	}
}
