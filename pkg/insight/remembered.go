package insight

import "sync"

// Limits of the answers that a version remembers.
const (
	rememberedAnswers = 64
	rememberedRows    = 500 // of one answer
)

// remembered are the answers that were read from a table since it was last filled. A dashboard asks the same for
// everybody who looks at it, and again every few seconds, and a table is filled every flushInterval of pkg/replay.
type remembered struct {
	mu      sync.Mutex
	answers map[string]*Answer // by question
	// tableAt is how far the table was when they were read.
	tableAt string
}

// recall returns the answer to a question, or nil.
func (r *remembered) recall(question, tableAt string) *Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tableAt != tableAt {
		return nil
	}
	return r.answers[question]
}

// remember keeps an answer, unless it is large. Answers of other offsets, and those beyond the limit, are forgotten.
func (r *remembered) remember(question, tableAt string, answer *Answer) {
	if len(answer.Rows) > rememberedRows {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tableAt != tableAt || len(r.answers) >= rememberedAnswers {
		r.answers, r.tableAt = map[string]*Answer{}, tableAt
	}
	r.answers[question] = answer
}
