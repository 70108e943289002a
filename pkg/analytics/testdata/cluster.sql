CREATE TABLE swapping ON CLUSTER 'prod' (at DateTime) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY at COMMENT 'a rebuild';

CREATE TABLE IF NOT EXISTS undecoded ON CLUSTER 'prod' (
    topic String, partition Int32, offset Int64, reason String, parked_at DateTime64(6, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (topic, partition, offset)
SETTINGS fsync_after_insert = 1
COMMENT 'Events that could not be decoded, and why';

CREATE TABLE IF NOT EXISTS events ON CLUSTER 'prod' (
    topic LowCardinality(String) COMMENT 'Topic of the record: orders.events or inventory.events',
    partition Int32 COMMENT 'Partition of the record',
    offset Int64 COMMENT 'Offset of the record in its partition',
    type LowCardinality(String) COMMENT 'What happened, as the event schema names it: order_placed, stock_reserved and so on',
    aggregate_id String COMMENT 'Order ID or SKU: the key of the record',
    version UInt64 COMMENT 'Version of the order or item after the event; 1, 2, 3 without gaps',
    event_id UUID COMMENT 'ID of the event, also its CloudEvents id',
    causation_id UUID COMMENT 'ID of the event that led to this one; all zeros where there was none',
    cause LowCardinality(String) COMMENT 'Input that the writer decided on: command, saga, timer or reconciliation',
    idempotency_key String COMMENT 'Idempotency-Key of the command; empty when no client asked for it',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened in the shop; for past documents their own time',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the writer decided it',
    digest UInt64 COMMENT 'xxHash64 of the value of the record, to compare the mirror with the log',
    body String COMMENT 'The whole event as JSON, for questions about fields that have no column' CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (topic, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, min_bytes_for_wide_part = 268435456
COMMENT 'One row for each event of the log';

CREATE TABLE IF NOT EXISTS orders ON CLUSTER 'prod' (
    topic LowCardinality(String) DEFAULT 'orders.events' COMMENT 'Topic of the record',
    partition Int32 COMMENT 'Partition of the record',
    offset Int64 COMMENT 'Offset of the record in its partition',
    type LowCardinality(String) COMMENT 'What happened: order_placed, order_confirmed, lines_shipped and so on',
    order_id String COMMENT 'Order, or past document',
    version UInt64 COMMENT 'Version of the order after the event',
    status LowCardinality(String) COMMENT 'Status that the event leads to by itself; empty when it leaves the status, or when what is left to ship decides',
    customer_id String COMMENT 'Customer, on events that name the customer: order_placed, order_imported, credit_note_imported',
    country LowCardinality(String) COMMENT 'Country as the shop writes it, on the same events',
    currency LowCardinality(String) COMMENT 'ISO 4217 code, on the same events',
    reference String COMMENT 'Number of the document, reference of the payment, or tracking reference',
    reason String COMMENT 'Why an order was cancelled, or money was given back or did not come',
    lines UInt32 COMMENT 'Lines that the event names',
    quantity Int64 COMMENT 'Units over these lines; below 0 on a credit note; how many more for an amendment',
    subtotal_micros Int64 COMMENT 'Sum of quantity times unit price, exact, in millionths of the currency; below 0 on a credit note',
    total_micros Int64 COMMENT 'The subtotal rounded once to the minor unit of the currency; below 0 on a credit note',
    amount_micros Int64 COMMENT 'Money that a payment event moved: authorized, captured, voided or refunded',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened in the shop; for past documents their own time',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the writer decided it',
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (topic, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, min_bytes_for_wide_part = 268435456
COMMENT 'One row for each event of an order, its history; the row of the greatest version is the latest';

CREATE TABLE IF NOT EXISTS order_lines ON CLUSTER 'prod' (
    topic LowCardinality(String) DEFAULT 'orders.events' COMMENT 'Topic of the record',
    partition Int32 COMMENT 'Partition of the record',
    offset Int64 COMMENT 'Offset of the record in its partition',
    line UInt32 COMMENT 'Place of the line in its event, from 0',
    type LowCardinality(String) COMMENT 'Event that carries the line: order_placed, order_imported, credit_note_imported, order_amended, lines_cancelled or return_received. Placed lines are revenue, amendments add to it or take off it what changed, and cancelled and returned lines are taken off, once orders has an order_confirmed of the order',
    order_id String COMMENT 'Order, or past document',
    customer_id String COMMENT 'Customer of the order; empty on amended, cancelled and returned lines, and so are country and currency: orders has them',
    country LowCardinality(String) COMMENT 'Country as the shop writes it; may be empty',
    currency LowCardinality(String) COMMENT 'ISO 4217 code',
    sku String COMMENT 'Stock item',
    quantity Int64 COMMENT 'Units; below 0 on a credit note, on cancelled or returned lines, and for what an amendment takes off',
    unit_price_micros Int64 COMMENT 'Price of one unit in millionths of the currency',
    amount_micros Int64 COMMENT 'Quantity times unit price, exact; below 0 on a credit note, on cancelled or returned lines, and for what an amendment takes off',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened in the shop; for past documents their own time',
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (topic, partition, offset, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, min_bytes_for_wide_part = 268435456
COMMENT 'One row for each line of the events that carry money for a line';

CREATE TABLE IF NOT EXISTS sales ON CLUSTER 'prod' (
    topic LowCardinality(String) DEFAULT 'orders.events' COMMENT 'Topic of the record',
    partition Int32 COMMENT 'Partition of the record that makes the line count',
    offset Int64 COMMENT 'Offset of that record in its partition',
    line UInt32 COMMENT 'Place of the line among those that the event makes count, from 0',
    order_id String COMMENT 'Order, or past document',
    customer_id String COMMENT 'Customer of the order',
    country LowCardinality(String) COMMENT 'Country as the shop writes it; may be empty',
    currency LowCardinality(String) COMMENT 'ISO 4217 code',
    sku String COMMENT 'Stock item',
    kind LowCardinality(String) COMMENT 'What is sold: goods',
    reason LowCardinality(String) COMMENT 'Why the line counts: confirmed (also past orders), amended, cancelled, returned, or credited (past credit notes)',
    quantity Int64 COMMENT 'Units; below 0 for what is taken off',
    amount_micros Int64 COMMENT 'Quantity times unit price, exact, in millionths of the currency; below 0 for what is taken off',
    rounding_micros Int64 COMMENT 'Share of the line in the rounding of the total of the order to the minor unit; with amount_micros it adds up to what the customer pays',
    ordered_at DateTime64(6, 'UTC') COMMENT 'When the order was placed; for past documents their own time',
    counted_at DateTime64(6, 'UTC') COMMENT 'When the line began to count: when the event happened, but not before the confirmation of the order'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(counted_at)
ORDER BY (topic, partition, offset, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, min_bytes_for_wide_part = 268435456
COMMENT 'One row for each line whose money counts, from the confirmation of its order on';

CREATE TABLE IF NOT EXISTS stock_ledger ON CLUSTER 'prod' (
    topic LowCardinality(String) DEFAULT 'inventory.events' COMMENT 'Topic of the record',
    partition Int32 COMMENT 'Partition of the record',
    offset Int64 COMMENT 'Offset of the record in its partition',
    line UInt32 COMMENT 'Place of the location among those that the event changed, from 0',
    type LowCardinality(String) COMMENT 'What happened: stock_received, stock_reserved, stock_fulfilled and so on',
    sku String COMMENT 'Stock item',
    version UInt64 COMMENT 'Version of the item after the event',
    location LowCardinality(String) COMMENT 'Location that changed',
    reason LowCardinality(String) COMMENT 'Why stock changed other than by an order: correction, cycle_count, damaged and so on; empty otherwise',
    order_id String COMMENT 'Order that the stock is for; empty where there is none',
    reference String COMMENT 'Reference of the command, such as a purchase order',
    on_hand_delta Int64 COMMENT 'Change of on_hand at the location',
    available_delta Int64 COMMENT 'Change of available at the location',
    reserved_delta Int64 COMMENT 'Change of reserved at the location',
    committed_delta Int64 COMMENT 'Change of committed at the location',
    safety_stock_delta Int64 COMMENT 'Change of safety_stock at the location',
    damaged_delta Int64 COMMENT 'Change of damaged at the location',
    quality_control_delta Int64 COMMENT 'Change of quality_control at the location',
    incoming_delta Int64 COMMENT 'Change of incoming at the location; not part of on_hand',
    on_hand Int64 COMMENT 'Units at the location after the event: available, reserved, committed, safety_stock, damaged and quality_control together',
    available Int64 COMMENT 'Units that can be sold, after the event; below 0 where stock is backordered',
    reserved Int64 COMMENT 'Units held for orders that are not confirmed, after the event',
    committed Int64 COMMENT 'Units held for confirmed orders, after the event',
    safety_stock Int64 COMMENT 'Units held back from sale, after the event',
    damaged Int64 COMMENT 'Damaged units, after the event',
    quality_control Int64 COMMENT 'Units in quality control, after the event',
    incoming Int64 COMMENT 'Units on their way in, after the event; not part of on_hand',
    occurred_at DateTime64(6, 'UTC') COMMENT 'When it happened in the shop; for past documents their own time'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (topic, partition, offset, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, min_bytes_for_wide_part = 268435456
COMMENT 'One row for each stock event and location that it changed, with the change and the levels after it';

CREATE TABLE IF NOT EXISTS mirror_progress ON CLUSTER 'prod' (
    mirror_id UUID COMMENT 'UUID that this table had when the row was written; a row with another one does not count',
    topic LowCardinality(String) COMMENT 'Topic that is mirrored',
    partition Int32 COMMENT 'Partition that is mirrored',
    next_offset SimpleAggregateFunction(max, Int64) COMMENT 'All events below this offset have their rows; it counts transaction markers too. Read the maximum',
    current_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When the mirror was last known to hold the whole partition. Read the maximum'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (mirror_id, topic, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far the mirror is; written after the rows it speaks of';

CREATE TABLE IF NOT EXISTS mirror_repairs ON CLUSTER 'prod' (
    mirror_id UUID COMMENT 'UUID that mirror_progress had when the row was written; a row with another one does not count',
    topic LowCardinality(String) COMMENT 'Topic of the event',
    partition Int32 COMMENT 'Partition of the event',
    offset Int64 COMMENT 'Offset of the event whose rows were written late: a dead letter that was retried',
    repaired_at DateTime64(6, 'UTC') COMMENT 'When they were written'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (mirror_id, topic, partition, offset, repaired_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Rows that came after later ones of their partition; what was computed from the tables before is computed again';

ALTER TABLE stock_ledger ADD COLUMN IF NOT EXISTS unit_cost_micros Int64 COMMENT 'What one unit of a receipt cost, in millionths of cost_currency';

ALTER TABLE stock_ledger ADD COLUMN IF NOT EXISTS cost_currency LowCardinality(String) COMMENT 'ISO 4217 code of unit_cost_micros; empty where no cost is known, and on rows that are no receipt';

ALTER TABLE sales ADD COLUMN IF NOT EXISTS order_offset Int64 COMMENT 'Offset of the event that placed the order, or of the past document; with partition it names the order as order_id does, in a number';

ALTER TABLE orders ADD COLUMN IF NOT EXISTS returned_micros Int64 COMMENT 'On return_received: what all that came back of the order by then had cost, with the charges that were given back with it, rounded as total_micros is; 0 in events of before there were discounts and taxes';

ALTER TABLE orders ADD COLUMN IF NOT EXISTS rounding LowCardinality(String) COMMENT 'On order_placed: line where each line and each charge is rounded; empty where all of the order is rounded once';

ALTER TABLE orders ADD COLUMN IF NOT EXISTS taxes_included UInt8 COMMENT 'On order_placed: 1 where prices and charges have their taxes in them';

ALTER TABLE order_lines ADD COLUMN IF NOT EXISTS kind LowCardinality(String) DEFAULT 'goods' COMMENT 'What the money is for: goods, charge, discount or tax. Only goods have units. The discount and the tax of a line, and the tax of a charge, are the rows after it. Where orders.taxes_included is 1, goods and charges have their taxes in them here, and in sales they do not';

ALTER TABLE order_lines ADD COLUMN IF NOT EXISTS charge UInt32 COMMENT 'Place of the charge in its order, from 1, on charges and their taxes; otherwise 0. Their sku is the kind of the charge, such as shipping, and empty on what is given back';

ALTER TABLE orders COMMENT COLUMN IF EXISTS total_micros 'What the order costs: the subtotal without discounts, with charges, and with taxes unless they are included, rounded to the minor unit of the currency; on lines_cancelled and order_amended what it costs then; below 0 on a credit note';

ALTER TABLE order_lines COMMENT COLUMN IF EXISTS sku 'Stock item, on discounts and taxes that of their line; on charges their kind';

ALTER TABLE order_lines COMMENT COLUMN IF EXISTS amount_micros 'Quantity times unit price, exact, or the discount (below 0), tax or charge; the other way round on a credit note, on cancelled or returned lines, and for what an amendment takes off';

ALTER TABLE sales COMMENT COLUMN IF EXISTS sku 'Stock item, on discounts and taxes that of their line; on charges and their taxes the kind of the charge, such as shipping';

ALTER TABLE sales COMMENT COLUMN IF EXISTS kind 'What the money is for: goods, charge, discount or tax. Only goods have units; a row with none is a change of included tax alone';

ALTER TABLE sales COMMENT COLUMN IF EXISTS amount_micros 'What was sold, exact, in millionths of the currency, the other way round for what is taken off: goods by quantity and price, charges, discounts (below 0) and taxes. Goods and charges are without taxes, also where prices include them, so all kinds add up to what is paid, and all but tax to net';

ALTER TABLE orders ADD COLUMN IF NOT EXISTS provider LowCardinality(String) COMMENT 'Name of the payment provider, such as stripe, on events of payments; empty where it was not told';

ALTER TABLE orders COMMENT COLUMN IF EXISTS rounding 'On order_placed, order_imported and credit_note_imported: line where each line and each charge is rounded; empty where all of the order is rounded once';

ALTER TABLE orders COMMENT COLUMN IF EXISTS taxes_included 'On order_placed, order_imported and credit_note_imported: 1 where prices and charges have their taxes in them';

ALTER TABLE order_lines COMMENT COLUMN IF EXISTS amount_micros 'Quantity times unit price, exact, or the discount (below 0), tax or charge; all of it the other way round on a credit note, on cancelled or returned lines, and for what an amendment takes off';

