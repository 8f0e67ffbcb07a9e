# SPDX-License-Identifier: Apache-2.0
"""
Keep the HTTP library's line per request out of the log.

It holds the whole address: a query such as ``filter`` names people, and that of a bulk result is its key.
"""

from __future__ import annotations

import logging
from typing import Any

_HOSTS: set[Any] = set()


def hush(url: Any) -> None:
    """
    Keep requests to a host out of the log, for the rest of the process.

    :param url: An ``httpx.URL`` on that host.
    """
    _HOSTS.add((url.scheme, url.netloc))


def _is_not_ours(record: logging.LogRecord) -> bool:
    arguments: tuple[Any, ...] = record.args if isinstance(record.args, tuple) else ()
    return not any((each.scheme, each.netloc) in _HOSTS for each in arguments if hasattr(each, "netloc"))


logging.getLogger("httpx").addFilter(_is_not_ours)
