# SPDX-License-Identifier: Apache-2.0
"""Triggers: they only read, and only await."""
