# SPDX-License-Identifier: Apache-2.0
"""
A local Klaviyo and a local Shopify, for demos, tests and your own CI. Needs the extra ``[sandbox]``.

``klaviyo-sandbox serve`` starts it; in a test use :class:`~airflow_provider_klaviyo.sandbox.server.SandboxServer`.
"""
