# SPDX-License-Identifier: Apache-2.0
"""GraphQL documents: read, held against a schema, and flattened to the fields they select."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
    value_from_ast_untyped,
)

Json = dict[str, Any]
UNKNOWN = re.compile(r"Cannot query field '(?P<field>\w+)' on type '(?P<type>\w+)'")


class Refused(Exception):  # noqa: N818 - the name says what happened
    """
    The document cannot be answered.

    :param errors: What Shopify puts into ``errors`` of its answer.
    """

    def __init__(self, *errors: Json) -> None:
        super().__init__("; ".join(str(each["message"]) for each in errors))
        self.errors = errors


def bad_request(message: str, root: str = "", code: str = "BAD_REQUEST") -> Refused:
    """Make the refusal of a well-formed document whose arguments will not do."""
    return Refused({"message": message, "extensions": {"code": code}} | ({"path": [root]} if root else {}))


@dataclass(frozen=True, slots=True)
class Field:
    """
    One selected field, fragments and directives resolved.

    :param key: Its name in the answer: the alias, or the name.
    :param owner: Name of the type that has the field.
    :param type: Name of the type it returns, wrappers taken off.
    :param many: Whether it returns a list.
    """

    key: str
    name: str
    owner: str
    type: str
    many: bool
    arguments: Json
    fields: tuple[Field, ...] = ()

    @property
    def connection(self) -> bool:
        """Whether it returns a page of ``edges`` and ``nodes``."""
        return self.type.endswith("Connection")

    @property
    def rows(self) -> tuple[Field, ...]:
        """What a connection selects of each row, by ``nodes`` or by ``edges { node }``."""
        edges = [edge for field in self.fields if field.name == "edges" for edge in field.fields]
        return next((each.fields for each in (*self.fields, *edges) if each.name in {"nodes", "node"}), ())

    def walk(self) -> Iterator[Field]:
        """Yield this field and every one below it."""
        yield self
        for field in self.fields:
            yield from field.walk()


@dataclass(frozen=True, slots=True)
class Document:
    """One operation, ready to be answered."""

    kind: str
    name: str
    fields: tuple[Field, ...]


@cache
def held() -> GraphQLSchema:
    """Return the schema of what the sandbox can answer."""
    return build_schema(files(__package__).joinpath("schema.graphql").read_text("utf-8"))


def read(text: str, schema: GraphQLSchema, variables: Mapping[str, Any] | None = None) -> Document:
    """
    Read a document.

    :param text: The document, with one operation.
    :param schema: What it must fit.
    :param variables: Values of its variables.
    :raises Refused: It is not GraphQL, or it does not fit.
    """
    try:
        tree = parse(text)
    except GraphQLSyntaxError as error:
        raise Refused(_syntax(error)) from None
    if errors := validate(schema, tree):
        raise Refused(*(_invalid(error, tree) for error in errors))
    operation = next(each for each in tree.definitions if isinstance(each, OperationDefinitionNode))
    fragments = {each.name.value: each for each in tree.definitions if isinstance(each, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    reader = _Reader(schema, fragments, _values(operation, variables or {}))
    return Document(operation.operation.value, operation.name.value if operation.name else "", reader.select(operation.selection_set, root))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Flattens selections of one document."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Json

    def select(self, selections: SelectionSetNode | None, parent: Any) -> tuple[Field, ...]:
        """Return the fields that a selection set asks of a type."""
        chosen: dict[str, Field] = {}
        for field in self._each(selections, parent):
            before = chosen.get(field.key)
            chosen[field.key] = replace(before, fields=before.fields + field.fields) if before else field
        return tuple(chosen.values())

    def _each(self, selections: SelectionSetNode | None, parent: Any) -> Iterator[Field]:
        for node in selections.selections if selections else ():
            if not self._included(node):
                continue
            match node:
                case FieldNode():
                    yield self._field(node, parent)
                case InlineFragmentNode():
                    yield from self._each(node.selection_set, parent)
                case FragmentSpreadNode():
                    yield from self._each(self.fragments[node.name.value].selection_set, parent)

    def _field(self, node: FieldNode, parent: Any) -> Field:
        name = node.name.value
        key = node.alias.value if node.alias else name
        if name == "__typename":
            return Field(key, name, parent.name, "String", many=False, arguments={})
        field = parent.fields[name]
        named = get_named_type(field.type)
        arguments = {arg.name.value: value_from_ast_untyped(arg.value, self.variables) for arg in node.arguments or ()}
        given = {key: value for key, value in arguments.items() if value not in (None, Undefined)}
        many = is_list_type(get_nullable_type(field.type))
        below = self.select(node.selection_set, named) if node.selection_set else ()
        return Field(key, name, parent.name, named.name, many=many, arguments=given, fields=below)

    def _included(self, node: Any) -> bool:
        asked = {
            each.name.value: value_from_ast_untyped(each.arguments[0].value, self.variables)
            for each in node.directives or ()
            if each.arguments
        }
        return asked.get("include", True) is True and asked.get("skip", False) is False


def _values(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> Json:
    """Return the variables' values, defaults applied."""
    values: Json = {}
    for each in operation.variable_definitions or ():
        name = each.variable.name.value
        if name in given:
            values[name] = given[name]
        elif each.default_value:
            values[name] = value_from_ast_untyped(each.default_value)
        if isinstance(each.type, NonNullTypeNode) and values.get(name) is None:
            explanation = {"path": [], "explanation": "Expected value to not be null"}
            raise Refused(
                {
                    "message": f"Variable ${name} of type {_type_text(each.type)} was provided invalid value",
                    "locations": _locations(each),
                    "extensions": {"code": "INVALID_VARIABLE", "value": None, "problems": [explanation]},
                }
            )
    return values


def _type_text(node: Any) -> str:
    """Return a type as it is written."""
    return str(node.loc.source.body[node.loc.start : node.loc.end]) if node.loc else ""


def _locations(node: Node) -> list[Json]:
    """Return where a node begins."""
    if not node.loc:
        return []
    return [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}]


def _syntax(error: GraphQLSyntaxError) -> Json:
    """Say it as Shopify says it."""
    line, column = error.locations[0] if error.locations else (0, 0)
    end = "<EOF>" in error.message
    told = "syntax error, unexpected end of file" if end else error.message[0].lower() + error.message[1:]
    message = told if end and not (error.source and error.source.body.strip()) else f"{told} at [{line}, {column}]"
    return {"message": message, "locations": [{"line": line, "column": column}], "extensions": {"code": "PARSE_ERROR"}}


def _invalid(error: GraphQLError, tree: Node) -> Json:
    """Say what the schema says against a document as Shopify says it."""
    node = error.nodes[0] if error.nodes else tree
    answer: Json = {"message": error.message, "locations": _locations(node), "path": _path(tree, node)}
    if unknown := UNKNOWN.search(error.message):
        field, owner = unknown["field"], unknown["type"]
        answer["message"] = f"Field '{field}' doesn't exist on type '{owner}'"
        return answer | {"extensions": {"code": "undefinedField", "typeName": owner, "fieldName": field}}
    code = "selectionMismatch" if "selection of subfields" in error.message else "argumentLiteralsIncompatible"
    return answer | {"extensions": {"code": code}}


def _path(node: Node, wanted: Node) -> list[str]:
    """Return the way to a node: the operation, then its fields."""
    if node is wanted:
        return _step(node)
    for name in node.keys:
        below = getattr(node, name, None)
        for each in below if isinstance(below, tuple | list) else (below,):
            if isinstance(each, Node) and (each is wanted or (found := _path(each, wanted))):
                return _step(node) + (_step(each) if each is wanted else found)
    return []


def _step(node: Node) -> list[str]:
    """Return how a node stands in a path."""
    match node:
        case OperationDefinitionNode():
            return [" ".join(filter(None, [node.operation.value, node.name.value if node.name else ""]))]
        case FieldNode():
            return [node.alias.value if node.alias else node.name.value]
    return []
