-- The tables of all three PostgreSQL peers. There are no foreign keys, and no index that placing an order does not
-- need: both would only make the peers slower.

CREATE TABLE stock (
  sku      text   PRIMARY KEY,
  on_hand  bigint NOT NULL,
  reserved bigint NOT NULL DEFAULT 0,
  CHECK (reserved BETWEEN 0 AND on_hand)
) WITH (fillfactor = 50); -- room for new versions of a row in its page: such updates change no index

CREATE TABLE orders (
  order_id     uuid   PRIMARY KEY, -- derived from the idempotency key: one index for both
  number       bigint GENERATED ALWAYS AS IDENTITY,
  fingerprint  bytea  NOT NULL,
  status       text   NOT NULL DEFAULT 'reserved',
  customer_id  text   NOT NULL,
  currency     text   NOT NULL,
  total_micros bigint NOT NULL,
  placed_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE order_lines (
  order_number      bigint NOT NULL, -- new ones are at the end of the index, which is cheaper than by order_id
  line              bigint NOT NULL,
  sku               text   NOT NULL,
  quantity          bigint NOT NULL,
  unit_price_micros bigint NOT NULL,
  PRIMARY KEY (order_number, line)
);

CREATE TABLE outbox (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id uuid NOT NULL,
  event    text NOT NULL
);

-- One row for each unit that can be sold, of the peer with units. received has how many there ever were.
CREATE TABLE units (
  sku  text   NOT NULL,
  unit bigint NOT NULL,
  PRIMARY KEY (sku, unit)
);

CREATE TABLE received (
  sku   text   PRIMARY KEY,
  units bigint NOT NULL
);

-- (a) One call, which is one transaction, for each order. Stock comes last, so that its rows are locked for as short as
-- possible, and in the order of SKUs, so that no two orders wait for each other. o_known is the fingerprint of an order
-- that was there already, which is left as it is. HF409: the SKU in the message is short.
CREATE FUNCTION place_order(
  p_order_id uuid, p_fingerprint bytea, p_customer_id text, p_currency text, p_total_micros bigint,
  p_skus text[], p_quantities bigint[], p_prices bigint[], p_event text,
  p_needed_skus text[], p_needed bigint[],
  OUT o_number bigint, OUT o_known bytea
) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO orders (order_id, fingerprint, customer_id, currency, total_micros)
    VALUES (p_order_id, p_fingerprint, p_customer_id, p_currency, p_total_micros)
    ON CONFLICT (order_id) DO NOTHING RETURNING number INTO o_number;
  IF NOT FOUND THEN
    SELECT number, fingerprint INTO o_number, o_known FROM orders WHERE order_id = p_order_id;
    RETURN;
  END IF;
  INSERT INTO order_lines
    SELECT o_number, l.line, l.sku, l.quantity, l.price
    FROM unnest(p_skus, p_quantities, p_prices) WITH ORDINALITY AS l(sku, quantity, price, line);
  INSERT INTO outbox (order_id, event) VALUES (p_order_id, p_event);
  FOR i IN 1 .. cardinality(p_needed_skus) LOOP
    UPDATE stock SET reserved = reserved + p_needed[i]
      WHERE sku = p_needed_skus[i] AND on_hand - reserved >= p_needed[i];
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'HF409', MESSAGE = p_needed_skus[i];
    END IF;
  END LOOP;
END $$;

-- (b) The same with a row for each unit: an order takes units that no other order has locked, and deletes them. So
-- orders of one SKU do not wait for each other. p_from is where the search for free units begins, for each SKU: before
-- it are the remains of units that are sold, until vacuum removes them. o_last is the last unit that was taken of each
-- SKU.
CREATE FUNCTION place_order_of_units(
  p_order_id uuid, p_fingerprint bytea, p_customer_id text, p_currency text, p_total_micros bigint,
  p_skus text[], p_quantities bigint[], p_prices bigint[], p_event text,
  p_needed_skus text[], p_needed bigint[], p_from bigint[],
  OUT o_number bigint, OUT o_known bytea, OUT o_last bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
  taken bigint;
  more  bigint;
  last  bigint;
BEGIN
  INSERT INTO orders (order_id, fingerprint, customer_id, currency, total_micros)
    VALUES (p_order_id, p_fingerprint, p_customer_id, p_currency, p_total_micros)
    ON CONFLICT (order_id) DO NOTHING RETURNING number INTO o_number;
  IF NOT FOUND THEN
    SELECT number, fingerprint INTO o_number, o_known FROM orders WHERE order_id = p_order_id;
    RETURN;
  END IF;
  INSERT INTO order_lines
    SELECT o_number, l.line, l.sku, l.quantity, l.price
    FROM unnest(p_skus, p_quantities, p_prices) WITH ORDINALITY AS l(sku, quantity, price, line);
  INSERT INTO outbox (order_id, event) VALUES (p_order_id, p_event);
  FOR i IN 1 .. cardinality(p_needed_skus) LOOP
    WITH gone AS (
      DELETE FROM units WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM units WHERE sku = p_needed_skus[i] AND unit >= p_from[i]
        ORDER BY unit LIMIT p_needed[i] FOR UPDATE SKIP LOCKED))
      RETURNING unit)
    SELECT count(*), max(unit) INTO taken, last FROM gone;
    IF taken < p_needed[i] THEN
      -- The last units. Here an order waits for those that others have locked, because they may give them back.
      WITH gone AS (
        DELETE FROM units WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM units WHERE sku = p_needed_skus[i]
          ORDER BY unit LIMIT p_needed[i] - taken FOR UPDATE))
        RETURNING unit)
      SELECT count(*), max(unit) INTO more, last FROM gone;
      IF taken + more < p_needed[i] THEN
        RAISE EXCEPTION USING ERRCODE = 'HF409', MESSAGE = p_needed_skus[i];
      END IF;
    END IF;
    o_last[i] := last;
  END LOOP;
END $$;

-- (c) Many orders in one transaction, with one update of stock for all of them. Nothing is kept unless all of them can
-- be: HF409 is that some SKU is short, 23505 that an order is there already. Rows of stock are locked in the order of
-- SKUs first, because the update may take them in any order, and another server may have a batch at the same time.
CREATE FUNCTION place_orders(
  p_order_ids uuid[], p_fingerprints bytea[], p_customer_ids text[], p_currencies text[], p_totals bigint[],
  p_events text[],
  p_of uuid[], p_lines bigint[], p_skus text[], p_quantities bigint[], p_prices bigint[],
  p_needed_skus text[], p_needed bigint[]
) RETURNS TABLE (o_order_id uuid, o_number bigint) LANGUAGE plpgsql AS $$
DECLARE
  updated bigint;
BEGIN
  RETURN QUERY
    WITH placed AS (
      INSERT INTO orders (order_id, fingerprint, customer_id, currency, total_micros)
        SELECT * FROM unnest(p_order_ids, p_fingerprints, p_customer_ids, p_currencies, p_totals)
        RETURNING order_id, number),
    lines AS (
      INSERT INTO order_lines
        SELECT p.number, l.line, l.sku, l.quantity, l.price
        FROM unnest(p_of, p_lines, p_skus, p_quantities, p_prices) AS l(order_id, line, sku, quantity, price)
        JOIN placed p USING (order_id)),
    events AS (
      INSERT INTO outbox (order_id, event) SELECT * FROM unnest(p_order_ids, p_events))
    SELECT p.order_id, p.number FROM placed p;
  PERFORM 1 FROM stock WHERE sku = ANY (p_needed_skus) ORDER BY sku FOR UPDATE;
  UPDATE stock s SET reserved = s.reserved + n.quantity
    FROM unnest(p_needed_skus, p_needed) AS n(sku, quantity)
    WHERE s.sku = n.sku AND s.on_hand - s.reserved >= n.quantity;
  GET DIAGNOSTICS updated = ROW_COUNT;
  IF updated < cardinality(p_needed_skus) THEN
    RAISE EXCEPTION USING ERRCODE = 'HF409', MESSAGE = 'a batch';
  END IF;
END $$;
