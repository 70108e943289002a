SET alter_sync = 2;
SET distributed_ddl_output_mode = throw;
SET distributed_ddl_task_timeout = 30;
SET insert_quorum = auto;
SET insert_quorum_parallel = 0;
SET insert_quorum_timeout = 30000;
SET replication_wait_for_inactive_replica_timeout = 30;
SET select_sequential_consistency = 1;

CREATE DATABASE IF NOT EXISTS `holdfast` ON CLUSTER 'prod-1' ENGINE = Atomic;

DROP DATABASE IF EXISTS `holdfast_rebuild` ON CLUSTER 'prod-1' SYNC;

CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER 'prod-1' (
    number UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Its name',
    checksum String COMMENT 'SHA-256 of its text',
    applied_at DateTime DEFAULT now() COMMENT 'When it was applied'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY number
SETTINGS fsync_after_insert = 1
COMMENT 'Migrations that were applied to this database';

CREATE TABLE swapping ON CLUSTER 'prod-1' (at DateTime) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY at COMMENT 'id';

CREATE TABLE IF NOT EXISTS insight__a__b__c ON CLUSTER 'prod-1' (x UInt8, _upto Int64) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', _upto)
ORDER BY (x) SETTINGS allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS insight_progress ON CLUSTER 'prod-1' (x UInt8)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (x);

DROP TABLE IF EXISTS insight__a__b__c ON CLUSTER 'prod-1' SYNC;

DROP TABLE swapping ON CLUSTER 'prod-1' SYNC;

CREATE OR REPLACE VIEW insight_units ON CLUSTER 'prod-1' AS SELECT 1 COMMENT 'of an insight';

DROP VIEW IF EXISTS insight_units ON CLUSTER 'prod-1' SYNC;

EXCHANGE TABLES `holdfast`.`events` AND `holdfast_rebuild`.`events` ON CLUSTER 'prod-1';

RENAME TABLE `holdfast_rebuild`.`sales` TO `holdfast`.`sales` ON CLUSTER 'prod-1';

ALTER TABLE events ADD COLUMN IF NOT EXISTS x UInt8 COMMENT 'x';

ALTER TABLE `events` DROP CONSTRAINT IF EXISTS swap_fence;

INSERT INTO insight__a__b__c SELECT 1;

SELECT name FROM system.tables;
