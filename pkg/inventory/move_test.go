package inventory

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestINV22Move(t *testing.T) {
	s := given(t, append(stock(10), want(1, 3, 0, 0))...)
	move := func(from, to State, quantity int64) MoveStock { return MoveStock{"", from, to, quantity, "box 4"} }
	s.when(move(StateAvailable, StateDamaged, 0)).refused(CodeInvalidQuantity)
	s.when(move(StateAvailable, StateDamaged, limits.MaxQuantity+1)).refused(CodeInvalidQuantity)
	s.when(move(0, StateDamaged, 1)).refused(CodeInvalidState)
	s.when(move(StateAvailable, StateSafetyStock+1, 1)).refused(CodeInvalidState)
	s.when(move(StateDamaged, StateDamaged, 1)).refused(CodeInvalidState)
	s.when(MoveStock{" ", StateAvailable, StateDamaged, 1, ""}).refused(CodeInvalidLocation)
	s.when(move(StateAvailable, StateDamaged, 11)).refused(CodeInsufficientStock)
	s.when(move(StateAvailable, StateSafetyStock, 8)).refused(CodeInsufficientStock) // 3 are promised
	s.when(move(StateDamaged, StateAvailable, 1)).refused(CodeInsufficientStock)
	s.when(MoveStock{"elsewhere", StateAvailable, StateDamaged, 1, ""}).refused(CodeInsufficientStock)

	s.when(move(StateAvailable, StateDamaged, 2)).then(StockMoved{"main", StateAvailable, StateDamaged, 2, "box 4"})
	s.when(move(StateAvailable, StateQualityControl, 3)).
		then(StockMoved{"main", StateAvailable, StateQualityControl, 3, "box 4"})
	s.when(move(StateQualityControl, StateSafetyStock, 1)).
		then(StockMoved{"main", StateQualityControl, StateSafetyStock, 1, "box 4"})
	s.levels(10, 2, 3, 0)
	if total := s.item.Total(); total.Damaged != 2 || total.QualityControl != 2 || total.SafetyStock != 1 {
		t.Fatalf("%+v", total)
	}
	s.when(SetSafetyStock{"", 0}).levels(10, 3, 3, 0) // what was moved there counts as safety stock
	s.when(move(StateDamaged, StateAvailable, 2)).levels(10, 5, 3, 0)
}
