package insight

import "github.com/holdfast/holdfast/pkg/clickhouse"

// SetSegmentOffsets makes segments smaller, so that a short log has many.
func (v *Version) SetSegmentOffsets(n int64) { v.segmentOffsets = n }

// CreatedIn is the statement that creates the table on the replicas of a cluster.
func (v *Version) CreatedIn(cluster string, columns ...string) string {
	return clickhouse.OnCluster(v.definition(columns), cluster)
}
