# SPDX-License-Identifier: Apache-2.0
"""Operators that take rows from somewhere into Klaviyo."""
