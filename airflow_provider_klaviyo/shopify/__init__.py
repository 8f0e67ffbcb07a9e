# SPDX-License-Identifier: Apache-2.0
"""Shopify as values: documents to send, answers to read, nodes to map to Klaviyo. No I/O, no Airflow, no HTTP library."""
