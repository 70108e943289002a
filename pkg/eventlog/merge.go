package eventlog

import "time"

// mergeWindow is how far a partition may be ahead of the slowest one in a merged read, by the records' timestamps. It
// is short, so that at thousands of orders a second what belongs together is still in memory. It is long enough that on
// a quiet log a fetch is not for one partition alone.
const mergeWindow = time.Second

// merger keeps the partitions of a reader together in time: it pauses those that are ahead of the slowest one.
type merger struct {
	reader  *reader
	reading map[TopicPartition]*mergedPartition // those that are not at their ends yet
}

type mergedPartition struct {
	at     time.Time // of the last record; zero: none was read yet
	paused bool
}

func newMerger(r *reader, start Offsets) *merger {
	m := &merger{reader: r, reading: make(map[TopicPartition]*mergedPartition, len(start))}
	for tp := range start {
		m.reading[tp] = &mergedPartition{}
	}
	return m
}

// advance notes the timestamp that a partition has reached, or with done that it is at its end.
func (m *merger) advance(p partitionRecords, done bool) {
	if done {
		delete(m.reading, p.tp)
		return
	}
	m.reading[p.tp].at = p.records[len(p.records)-1].Timestamp
}

// balance pauses the partitions that are ahead of the slowest, and resumes those that are no longer ahead.
func (m *merger) balance() {
	var slowest time.Time
	first := true
	for _, p := range m.reading {
		if first || p.at.Before(slowest) {
			slowest, first = p.at, false
		}
	}
	var pause, resume []TopicPartition
	for tp, p := range m.reading {
		switch ahead := p.at.Sub(slowest) > mergeWindow; {
		case ahead && !p.paused:
			pause = append(pause, tp)
		case !ahead && p.paused:
			resume = append(resume, tp)
		default:
			continue
		}
		p.paused = !p.paused
	}
	if len(pause) > 0 {
		m.reader.pause(pause...)
	}
	if len(resume) > 0 {
		m.reader.resume(resume...)
	}
}
