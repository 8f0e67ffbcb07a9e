-- SPDX-License-Identifier: Apache-2.0
-- The lines of Shopify's orders as the event Ordered Product. A line's own id keeps two lines of one second apart.
WITH known AS (
    SELECT
        o.*,
        customer.phone AS called,
        nullif(lower(trim(coalesce(customer.email, o.email))), '') AS address
    FROM "order" AS o
    LEFT JOIN customer ON customer.id = o.customer_id
    WHERE
        NOT coalesce(o.test, false)
        AND NOT coalesce(o._fivetran_deleted, false)
        AND coalesce(customer.email_marketing_consent_state, '') <> 'redacted'
        AND o._fivetran_synced >= '{{ params.start or data_interval_start | ts }}'
        AND o._fivetran_synced < '{{ data_interval_end | ts }}'
)
SELECT
    'Ordered Product' AS metric,
    known.processed_at AS time,
    (order_line.price * order_line.quantity)::numeric(20, 2) AS value,
    known.currency AS value_currency,
    known.id || ':' || order_line.id AS unique_id,
    CASE WHEN address ~ '^[^@[:space:]]+@[^@.[:space:]]+([.][^@.[:space:]]+)+$' OR called IS NULL THEN address END AS "profile.email",
    CASE WHEN address ~ '^[^@[:space:]]+@[^@.[:space:]]+([.][^@.[:space:]]+)+$' THEN NULL ELSE called END AS "profile.phone_number",
    known.id::text AS "properties.OrderId",
    known.name AS "properties.OrderName",
    order_line.product_id::text AS "properties.ProductID",
    order_line.variant_id::text AS "properties.VariantID",
    nullif(order_line.sku, '') AS "properties.SKU",
    order_line.title AS "properties.ProductName",
    nullif(order_line.variant_title, '') AS "properties.VariantName",
    order_line.quantity AS "properties.Quantity",
    order_line.price AS "properties.ItemPrice",
    (order_line.price * order_line.quantity)::numeric(20, 2) AS "properties.RowTotal",
    nullif(order_line.vendor, '') AS "properties.ProductBrand",
    nullif(order_line.gift_card, false) AS "properties.GiftCard"
FROM order_line
JOIN known ON known.id = order_line.order_id
WHERE address IS NOT NULL OR called <> ''
