package insight

// SetSegmentOffsets makes segments smaller, so that a short log has many.
func (v *Version) SetSegmentOffsets(n int64) { v.segmentOffsets = n }
