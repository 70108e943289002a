package service

import (
	"errors"
	"fmt"
	"testing"
)

func TestTheExitStatusOfAnError(t *testing.T) {
	refused := &ExitError{Status: 5, Err: errors.New("refused")}
	for want, err := range map[int]error{1: errors.New("lost"), 5: errors.Join(nil, fmt.Errorf("job: %w", refused))} {
		if status := statusOf(err); status != want {
			t.Errorf("%v: %d, want %d", err, status, want)
		}
	}
	if !errors.Is(refused, refused.Err) || refused.Error() != "refused" {
		t.Errorf("it says %v", refused)
	}
}
