# SPDX-License-Identifier: Apache-2.0
"""Load customers and orders into Klaviyo from Apache Airflow, with every row accounted for."""

__version__ = "0.1.0"
