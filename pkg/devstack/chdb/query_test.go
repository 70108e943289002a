package chdb_test

import "testing"

func TestTheEngineAnswers(t *testing.T) {
	conn := connect(t, server(t), nil)
	if n := one[uint8](t, conn, "SELECT 1"); n != 1 {
		t.Errorf("SELECT 1 is %d", n)
	}
}
