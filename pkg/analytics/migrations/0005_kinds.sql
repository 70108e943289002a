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
