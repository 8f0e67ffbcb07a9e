# SPDX-License-Identifier: Apache-2.0
"""
What Shopify demands of the document of a bulk query, in the words it uses.

See https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import DocumentNode, GraphQLSchema, GraphQLSyntaxError, OperationDefinitionNode, parse

from airflow_provider_klaviyo.sandbox.shopify import documents
from airflow_provider_klaviyo.sandbox.shopify.documents import Document, Field, Refused

MOST_CONNECTIONS = 5
DEEPEST = 2


def read(text: str, schema: GraphQLSchema) -> Document:
    """
    Read the document of a bulk query.

    :param text: The document; it takes no variables.
    :param schema: What it must fit.
    :raises Refused: It breaks a rule; one error for each.
    """
    try:
        kinds = _kinds(parse(text))
    except GraphQLSyntaxError:
        kinds = {"query"}
    if kinds != {"query"}:
        raise Refused({"message": "Invalid operation type. Only `query` operations are supported."})
    try:
        document = documents.read(text, schema)
    except Refused as refused:
        raise Refused(*({"message": f"Invalid bulk query: {each['message']}"} for each in refused.errors)) from None
    if broken := list(_broken(document)):
        raise Refused(*({"message": message} for message in broken))
    return document


def _kinds(tree: DocumentNode) -> set[str]:
    return {each.operation.value for each in tree.definitions if isinstance(each, OperationDefinitionNode)}


def _broken(document: Document) -> Iterator[str]:
    """Yield a sentence for each broken rule."""
    found = [each for root in document.fields for each in _connections(root, 0, within_list=False)]
    connections = [field for field, _, _ in found]
    if any(field.name == "node" for field in document.fields):
        yield "Bulk queries cannot contain a top level `node` field."
    if not connections:
        yield "Bulk queries must contain at least one connection."
    if len(connections) > MOST_CONNECTIONS:
        yield f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections."
    if any(depth > DEEPEST for _, depth, _ in found):
        yield f"Bulk queries cannot contain connections with a nesting depth greater than {DEEPEST}."
    if any(within for _, _, within in found):
        yield "Queries that contain a connection field within a list field are not currently supported."
    if wrong := [field.name for field in connections if any(each.name == "nodes" for each in field.fields)]:
        yield (
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', "
            f"e.g: '{wrong[0]} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
            f"Invalid connection fields: {', '.join(map(repr, wrong))}."
        )
    if lacking := [field.name for field in connections if _nests(field) and not any(each.key == each.name == "id" for each in field.rows)]:
        yield (
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. "
            f"Connection fields without 'id': {', '.join(lacking)}."
        )


def _connections(field: Field, depth: int, *, within_list: bool) -> Iterator[tuple[Field, int, bool]]:
    """Yield each connection, how deep it nests, and whether a list is above it."""
    below = depth
    if field.connection:
        yield field, depth, within_list
        below = depth + 1
    for each in field.rows if field.connection else field.fields:
        yield from _connections(each, below, within_list=within_list or (field.many and not field.connection))


def _nests(field: Field) -> bool:
    return any(each.connection for row in field.rows for each in row.walk())
