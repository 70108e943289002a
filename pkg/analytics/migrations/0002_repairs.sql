CREATE TABLE IF NOT EXISTS mirror_repairs (
    mirror_id UUID COMMENT 'UUID that mirror_progress had when the row was written; a row with another one does not count',
    topic LowCardinality(String) COMMENT 'Topic of the event',
    partition Int32 COMMENT 'Partition of the event',
    offset Int64 COMMENT 'Offset of the event whose rows were written late: a dead letter that was retried',
    repaired_at DateTime64(6, 'UTC') COMMENT 'When they were written'
)
ENGINE = ReplacingMergeTree
ORDER BY (mirror_id, topic, partition, offset, repaired_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Rows that came after later ones of their partition; what was computed from the tables before is computed again';
