# SPDX-License-Identifier: Apache-2.0
"""One reading of a bulk operation serves operator and trigger."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_klaviyo.shopify.bulk import BulkOperation, BulkStatus, started
from airflow_provider_klaviyo.shopify.errors import Code, ShopifyApiError, ShopifyBulkBusy, ShopifyBulkFailed, ShopifyError

GID = "gid://shopify/BulkOperation/17"
URL = "https://storage.example/result?signature=secret"


def operation(status: str, **fields: Any) -> BulkOperation:
    return BulkOperation.read({"id": GID, "status": status, **fields})


def test_numbers_come_as_texts() -> None:
    read = operation("COMPLETED", objectCount="1456", rootObjectCount="400", fileSize="123456", url=URL)
    assert (read.object_count, read.root_object_count, read.file_size) == (1456, 400, 123456)


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "CANCELING"])
def test_it_is_under_way(status: str) -> None:
    assert not operation(status).done
    assert operation(status).check().status == status


def test_completed_without_an_address_is_an_empty_result() -> None:
    read = operation("COMPLETED", objectCount="0", url=None).check()
    assert read.done
    assert read.url is None


@pytest.mark.parametrize(
    ("status", "error_code", "says"),
    [
        ("FAILED", "INTERNAL_SERVER_ERROR", "an error on Shopify's side"),
        ("FAILED", "TIMEOUT", "ask for fewer fields or a shorter window"),
        ("CANCELED", None, "cancelled it, or Shopify did because it stood still"),
        ("EXPIRED", None, "seven days"),
    ],
)
def test_an_end_without_a_result_says_what_to_do(status: str, error_code: str | None, says: str) -> None:
    with pytest.raises(ShopifyBulkFailed, match=says) as failure:
        operation(status, errorCode=error_code, partialDataUrl=URL).check()
    assert "Another try runs it anew" in str(failure.value)
    assert not failure.value.permanent
    assert GID in str(failure.value)


def test_a_missing_scope_is_not_tried_again() -> None:
    with pytest.raises(ShopifyBulkFailed, match="lacks an access scope") as failure:
        operation("FAILED", errorCode="ACCESS_DENIED").check()
    assert failure.value.permanent


def test_a_status_never_seen_is_an_error() -> None:
    with pytest.raises(ShopifyError, match="PONDERING, a status this package does not know"):
        operation("PONDERING")


def test_the_signed_address_is_never_shown() -> None:
    read = operation("COMPLETED", url=URL, query="{ customers }")
    assert "secret" not in repr(read)
    assert read.as_data() == {
        "id": GID,
        "status": "COMPLETED",
        "error_code": "",
        "created_at": "",
        "completed_at": "",
        "object_count": 0,
        "root_object_count": 0,
        "file_size": 0,
    }
    assert type(read.as_data()["status"]) is str


def run(*errors: dict[str, Any]) -> dict[str, Any]:
    node = None if errors else {"id": GID, "status": "CREATED", "createdAt": "2026-11-18T12:00:00Z"}
    return {"bulkOperationRunQuery": {"bulkOperation": node, "userErrors": list(errors)}}


def test_it_is_started() -> None:
    assert started(run()).status is BulkStatus.CREATED


def test_five_at_once_is_no_refusal_of_the_query() -> None:
    message = f"A bulk query operation for this app and shop is already in progress: {GID}, gid://shopify/BulkOperation/18"
    with pytest.raises(ShopifyBulkBusy, match="may run five bulk queries") as failure:
        started(run({"code": Code.BUSY.value, "field": None, "message": message}))
    assert not failure.value.permanent


def test_a_query_that_cannot_run_in_bulk_is_refused_with_shopifys_words() -> None:
    message = "Bulk queries must contain at least one connection."
    with pytest.raises(ShopifyApiError, match=message) as failure:
        started(run({"code": "INVALID", "field": ["query"], "message": message}))
    assert failure.value.permanent
