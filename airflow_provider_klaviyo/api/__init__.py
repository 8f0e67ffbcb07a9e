# SPDX-License-Identifier: Apache-2.0
"""Klaviyo's API as values: requests to send and how to read the answers. No I/O, no Airflow, no HTTP library."""
