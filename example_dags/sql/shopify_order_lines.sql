-- SPDX-License-Identifier: Apache-2.0
-- The lines of Shopify's orders as the event Ordered Product. A line's own id keeps two lines of one second apart.
SELECT
    'Ordered Product' AS metric,
    o.processed_at AS time,
    (order_line.price * order_line.quantity)::numeric(20, 2) AS value,
    o.currency AS value_currency,
    o.id || ':' || order_line.id AS unique_id,
    lower(trim(coalesce(customer.email, o.email))) AS "profile.email",
    CASE WHEN coalesce(customer.email, o.email, '') = '' THEN customer.phone END AS "profile.phone_number",
    o.id::text AS "properties.OrderId",
    o.name AS "properties.OrderName",
    order_line.product_id::text AS "properties.ProductID",
    order_line.variant_id::text AS "properties.VariantID",
    nullif(order_line.sku, '') AS "properties.SKU",
    order_line.title AS "properties.ProductName",
    nullif(order_line.variant_title, '') AS "properties.VariantName",
    order_line.quantity AS "properties.Quantity",
    order_line.price AS "properties.ItemPrice",
    (order_line.price * order_line.quantity)::numeric(20, 2) AS "properties.RowTotal",
    nullif(order_line.vendor, '') AS "properties.ProductBrand"
FROM order_line
JOIN "order" AS o ON o.id = order_line.order_id
LEFT JOIN customer ON customer.id = o.customer_id
WHERE
    NOT coalesce(o.test, false)
    AND NOT coalesce(o._fivetran_deleted, false)
    AND o._fivetran_synced >= '{{ params.start or data_interval_start | ts }}'
    AND o._fivetran_synced < '{{ data_interval_end | ts }}'
