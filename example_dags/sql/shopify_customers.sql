-- SPDX-License-Identifier: Apache-2.0
-- Shopify's customers as profiles: each column is one of Klaviyo's fields. Notes are private and stay in the shop.
SELECT
    lower(trim(customer.email)) AS email,
    customer.phone AS phone_number,
    nullif(trim(customer.first_name), '') AS first_name,
    nullif(trim(customer.last_name), '') AS last_name,
    customer.id::text AS "properties.Shopify Customer ID",
    customer.state AS "properties.Shopify Account State",
    customer.verified_email AS "properties.Shopify Verified Email",
    customer.created_at AS "properties.Shopify Created At",
    placed.orders AS "properties.Shopify Number of Orders",
    placed.spent AS "properties.Shopify Amount Spent",
    placed.last_name AS "properties.Shopify Last Order",
    -- An empty list, and not NULL: what is left out stays in Klaviyo, and the last tag could never go.
    coalesce(tags.tags, '[]') AS "properties.Shopify Tags"
FROM customer
LEFT JOIN LATERAL (
    SELECT
        count(*) AS orders,
        sum(total_price)::numeric(20, 2) AS spent,
        (array_agg(name ORDER BY processed_at DESC))[1] AS last_name
    FROM "order"
    WHERE "order".customer_id = customer.id AND NOT coalesce("order".test, false)
) AS placed ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(customer_tag.value ORDER BY customer_tag.index) AS tags
    FROM customer_tag
    WHERE customer_tag.customer_id = customer.id
) AS tags ON true
WHERE
    NOT coalesce(customer._fivetran_deleted, false)
    -- Whom Shopify has erased at their request does not come back.
    AND coalesce(customer.email_marketing_consent_state, '') <> 'redacted'
    -- Those whom nobody can write to stay in the shop.
    AND (customer.email <> '' OR customer.phone <> '')
    -- When the row came into the warehouse, not when it changed in the shop: a late sync is not missed.
    AND customer._fivetran_synced >= '{{ params.start or data_interval_start | ts }}'
    AND customer._fivetran_synced < '{{ data_interval_end | ts }}'
