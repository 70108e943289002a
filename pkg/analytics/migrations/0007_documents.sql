ALTER TABLE orders COMMENT COLUMN IF EXISTS rounding 'On order_placed, order_imported and credit_note_imported: line where each line and each charge is rounded; empty where all of the order is rounded once';

ALTER TABLE orders COMMENT COLUMN IF EXISTS taxes_included 'On order_placed, order_imported and credit_note_imported: 1 where prices and charges have their taxes in them';

ALTER TABLE order_lines COMMENT COLUMN IF EXISTS amount_micros 'Quantity times unit price, exact, or the discount (below 0), tax or charge; all of it the other way round on a credit note, on cancelled or returned lines, and for what an amendment takes off';
