ALTER TABLE orders ADD COLUMN IF NOT EXISTS provider LowCardinality(String) COMMENT 'Name of the payment provider, such as stripe, on events of payments; empty where it was not told';
