ALTER TABLE stock_ledger ADD COLUMN IF NOT EXISTS unit_cost_micros Int64 COMMENT 'What one unit of a receipt cost, in millionths of cost_currency';

ALTER TABLE stock_ledger ADD COLUMN IF NOT EXISTS cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of unit_cost_micros; empty where no cost is known, and on rows that are no receipt';
