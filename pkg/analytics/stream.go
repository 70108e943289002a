package analytics

import "context"

// Sink takes the rows of a whole report or answer, one by one. When it returns an error, no more rows follow.
type Sink interface {
	// Begin is called once, before the first row, with the names of the columns. An answer without rows has it, too. What
	// fails before it has sent nothing.
	Begin(columns []string) error
	Row(values []string) error
}

// Stream sends rows to a sink. The function each calls row with the values of each row. refused is the error of the
// sink, which ended it; err is that of each.
func Stream(
	ctx context.Context, sink Sink, columns []string,
	each func(ctx context.Context, row func(values []string) error) error,
) (refused, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return sink.Begin(columns)
	}
	err = each(ctx, func(values []string) error {
		if refused = begin(); refused == nil {
			refused = sink.Row(values)
		}
		if refused != nil {
			cancel() // otherwise the rest of the rows would be read
		}
		return refused
	})
	if refused != nil || err != nil {
		return refused, err
	}
	return begin(), nil
}
