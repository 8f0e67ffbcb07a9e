-- SPDX-License-Identifier: Apache-2.0
-- Shopify's orders as events: Placed, Fulfilled, Cancelled and Refunded Order. All of an order's events have its id.
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
        -- Whom Shopify has erased at their request does not come back.
        AND coalesce(customer.email_marketing_consent_state, '') <> 'redacted'
        AND o._fivetran_synced >= '{{ params.start or data_interval_start | ts }}'
        AND o._fivetran_synced < '{{ data_interval_end | ts }}'
),
changed AS (
    SELECT
        known.*,
        -- One identifier: an address and a number may belong to two people.
        CASE WHEN address ~ '^[^@[:space:]]+@[^@.[:space:]]+([.][^@.[:space:]]+)+$' OR called IS NULL THEN address END AS who,
        CASE WHEN address ~ '^[^@[:space:]]+@[^@.[:space:]]+([.][^@.[:space:]]+)+$' THEN NULL ELSE called END AS number_called
    FROM known
    -- What nobody known has bought, at a till for instance, stays in the shop.
    WHERE address IS NOT NULL OR called <> ''
),
lines AS (
    SELECT
        order_line.order_id,
        count(*) AS lines,
        jsonb_agg(DISTINCT order_line.title) AS names,
        jsonb_agg(DISTINCT order_line.vendor) FILTER (WHERE order_line.vendor <> '') AS brands,
        jsonb_agg(
            jsonb_strip_nulls(jsonb_build_object(
                'ProductID', order_line.product_id::text,
                'VariantID', order_line.variant_id::text,
                'SKU', nullif(order_line.sku, ''),
                'ProductName', order_line.title,
                'VariantName', nullif(order_line.variant_title, ''),
                'Quantity', order_line.quantity,
                'ItemPrice', order_line.price,
                'RowTotal', (order_line.price * order_line.quantity)::numeric(20, 2),
                'Brand', nullif(order_line.vendor, ''),
                'GiftCard', nullif(order_line.gift_card, false)
            )) ORDER BY order_line.index
        ) AS items
    FROM order_line
    WHERE order_line.order_id IN (SELECT changed.id FROM changed)
    GROUP BY order_line.order_id
),
refunded AS (
    SELECT refund.order_id, max(refund.created_at) AS at
    FROM refund
    GROUP BY refund.order_id
),
paid_back AS (
    SELECT transaction.order_id, sum(transaction.amount) AS amount
    FROM transaction
    WHERE transaction.kind = 'refund' AND transaction.status = 'success'
    GROUP BY transaction.order_id
),
fulfilled AS (
    SELECT fulfillment.order_id, max(fulfillment.created_at) AS at
    FROM fulfillment
    WHERE fulfillment.status = 'success'
    GROUP BY fulfillment.order_id
),
happened AS (
    SELECT id AS order_id, 'Placed Order' AS metric, processed_at AS time, total_price AS value, NULL AS reason
    FROM changed
    UNION ALL
    SELECT id, 'Fulfilled Order', coalesce(fulfilled.at, processed_at), total_price, NULL
    FROM changed LEFT JOIN fulfilled ON fulfilled.order_id = changed.id
    WHERE fulfillment_status = 'fulfilled'
    UNION ALL
    SELECT id, 'Cancelled Order', cancelled_at, total_price, cancel_reason
    FROM changed
    WHERE cancelled_at IS NOT NULL
    UNION ALL
    SELECT id, 'Refunded Order', coalesce(refunded.at, cancelled_at, processed_at), paid_back.amount, cancel_reason
    FROM changed
    LEFT JOIN refunded ON refunded.order_id = changed.id
    LEFT JOIN paid_back ON paid_back.order_id = changed.id
    WHERE financial_status = 'refunded'
)
SELECT
    happened.metric,
    happened.time,
    happened.value,
    changed.currency AS value_currency,
    changed.id::text AS unique_id,
    changed.who AS "profile.email",
    changed.number_called AS "profile.phone_number",
    changed.id::text AS "properties.OrderId",
    changed.name AS "properties.OrderName",
    changed.total_discounts AS "properties.DiscountValue",
    changed.customer_locale AS "properties.Customer Locale",
    upper(changed.financial_status) AS "properties.Financial Status",
    upper(happened.reason) AS "properties.Reason",
    lines.names AS "properties.ItemNames",
    lines.brands AS "properties.Brands",
    lines.lines AS "properties.Item Count",
    lines.items AS "properties.Items"
FROM happened
JOIN changed ON changed.id = happened.order_id
LEFT JOIN lines ON lines.order_id = changed.id
