# SPDX-License-Identifier: Apache-2.0
"""Operators: fields, and the one request they make."""
