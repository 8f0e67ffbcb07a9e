# SPDX-License-Identifier: Apache-2.0
"""The root fields of the API, answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_klaviyo.sandbox.shopify import documents, results, rules, search
from airflow_provider_klaviyo.sandbox.shopify.answers import Picker, page
from airflow_provider_klaviyo.sandbox.shopify.bulk import Operation
from airflow_provider_klaviyo.sandbox.shopify.details import detailed
from airflow_provider_klaviyo.sandbox.shopify.documents import Document, Field, Json, Refused, bad_request
from airflow_provider_klaviyo.sandbox.shopify.faults import BULK_FAULTS
from airflow_provider_klaviyo.sandbox.shopify.selection import permit, select
from airflow_provider_klaviyo.sandbox.shopify.state import ShopState

BULK_ID = "gid://shopify/BulkOperation/"


class Roots:
    """
    Answers one document.

    :param state: The shop.
    """

    def __init__(self, state: ShopState) -> None:
        self.state = state
        self.searches: list[Json] = []
        self.picker = Picker(state.store, lambda field, rows: page(self.picker, field, rows))

    def answer(self, document: Document) -> Json:
        """
        Return the answer's ``data``.

        :raises Refused: A field cannot be answered.
        """
        return {field.key: self._root(field) for field in document.fields}

    def _root(self, field: Field) -> Any:
        answers: dict[str, Callable[[Field], Any]] = {
            "__typename": lambda field: field.owner,
            "shop": lambda field: self.picker.pick(field.fields, self.state.store.shop),
            "currentAppInstallation": self._installation,
            "customer": self._one,
            "order": self._one,
            "customers": self._many,
            "orders": self._many,
            "bulkOperation": self._operation,
            "bulkOperations": self._operations,
            "bulkOperationRunQuery": self._run,
            "bulkOperationCancel": self._cancel,
        }
        return answers[field.name](field)

    def _installation(self, field: Field) -> Json:
        scopes = [{"handle": scope} for scope in sorted(self.state.settings.scopes)]
        return self.picker.pick(field.fields, {"accessScopes": scopes})

    def _one(self, field: Field) -> Json | None:
        permit(field, self.state.settings.scopes)
        rows = self.state.store.orders if field.name == "order" else self.state.store.customers
        row = rows.get(field.arguments["id"])
        if row is None:
            return None
        return self.picker.pick(field.fields, detailed(row) if field.name == "order" else row.data)

    def _many(self, field: Field) -> Json:
        rows, found = self._select(field)
        self._note(field, found)
        return page(self.picker, field, rows)

    def _select(self, field: Field) -> tuple[list[Any], search.Search | None]:
        return select(self.state.store, field, scopes=self.state.settings.scopes, now=self.state.clock())

    def _note(self, field: Field, found: search.Search | None) -> None:
        if found:
            self.searches.append(found.shown(field.key))

    def _found(self, field: Field) -> Operation | None:
        name = str(field.arguments["id"])
        if not name.startswith(BULK_ID):
            raise bad_request(f"Invalid id: {name}", field.key, "RESOURCE_NOT_FOUND")
        return self.state.bulk.all.get(name)

    def _operation(self, field: Field) -> Json | None:
        operation = self._found(field)
        return self.picker.pick(field.fields, self.state.bulk.shown(operation)) if operation else None

    def _operations(self, field: Field) -> Json:
        rows = [self.state.bulk.shown(each) for each in [*self.state.bulk.all.values()]]
        if query := field.arguments.get("query"):
            found = search.read(query, "bulkOperations")
            self._note(field, found)
            rows = [row for row in rows if found.matches(row)]
        return page(self.picker, field, rows[::-1] if field.arguments.get("reverse") else rows)

    def _cancel(self, field: Field) -> Json:
        operation = self._found(field)
        if operation is None:
            error = {"field": ["id"], "message": "Bulk operation does not exist"}
            return self.picker.pick(field.fields, {"bulkOperation": None, "userErrors": [error]})
        reason = self.state.bulk.cancel(operation)
        errors = [{"field": None, "message": reason}] if reason else []
        return self.picker.pick(field.fields, {"bulkOperation": self.state.bulk.shown(operation), "userErrors": errors})

    def _run(self, field: Field) -> Json:
        errors, operation = self._start(field.arguments["query"], grouped=bool(field.arguments.get("groupObjects", False)))
        shown = self.state.bulk.shown(operation) if operation else None
        return self.picker.pick(field.fields, {"bulkOperation": shown, "userErrors": errors})

    def _start(self, query: str, *, grouped: bool) -> tuple[list[Json], Operation | None]:
        """Start a bulk query, or say why not."""
        state = self.state
        try:
            if state.schema:
                rules.read(query, state.schema)
            document = rules.read(query, documents.held())
        except Refused as refused:
            return [{"field": ["query"], "message": each["message"], "code": "INVALID"} for each in refused.errors], None
        with state.bulk.lock:
            if len(busy := state.bulk.busy()) >= state.settings.at_once:
                message = f"A bulk query operation for this app and shop is already in progress: {', '.join(busy)}."
                return [{"field": None, "message": message, "code": "OPERATION_IN_PROGRESS"}], None
            fault = state.faults.take(BULK_FAULTS)

            def lines() -> Iterator[results.Line]:
                return results.write(document, state.store, lambda root: self._select(root)[0], grouped=grouped)

            return [], state.bulk.run(query, lines, seconds=state.settings.job_seconds, fault=fault)
