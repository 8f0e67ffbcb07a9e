# SPDX-License-Identifier: Apache-2.0
"""Sensors: they wait for what Klaviyo does in its own time."""
