# SPDX-License-Identifier: Apache-2.0
"""A column becomes a field, a bad value becomes a reason, and a wrong mapping is said once and at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.checks import Check, Invalid
from airflow_provider_klaviyo.loading.destinations import Loaded, fields_of, is_clearable
from airflow_provider_klaviyo.loading.mapping import FieldMapping, OnNull, Unmappable, as_columns, check_destinations, mapper, mappings_of
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import EVENT_JOBS, held, load, plan, rejects
from tests.loading.test_converters import VALUES

NAN = float("nan")
SECRET = "Sarah Connor 1984"


def mapped(row: Any, *mappings: tuple[Any, ...], **how: Any) -> Any:
    return mapper([FieldMapping(*each) for each in mappings], **how)(row)


def everything(error: BaseException | None) -> str:
    """Return what an error and all behind it hold."""
    if error is None:
        return ""
    return f"{error!r} {error.args} {getattr(error, '__dict__', '')} {everything(error.__cause__)} {everything(error.__context__)}"


class NAType:
    """As pandas' ``NA``: to be compared with it, or asked whether it is true, it refuses."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError

    __hash__ = object.__hash__


class NaTType(datetime):
    """As pandas' ``NaT``, which is a time."""


def numpys(value: Any, kind: str = "i") -> Any:
    """Make something as numpy has it."""

    class Scalar:
        dtype = type("dtype", (), {"kind": kind})

        def astype(self, name: str) -> Any:
            assert name == "datetime64[us]"
            return numpys(value)

        def tolist(self) -> Any:
            return value

    Scalar.__module__ = "numpy"
    return Scalar()


NULLS = [None, NAN, Decimal("NaN"), Decimal("sNaN"), NAType(), NaTType(2026, 1, 1)]


# Where a value goes


def test_destinations_nest_where_klaviyo_nests_and_nowhere_else() -> None:
    row = dict.fromkeys("abcdef", 1)
    assert mapped(
        row,
        ("a", "properties.x.y"),
        ("b", "location.city"),
        ("c", "profile.properties.p.q"),
        ("d", "profile.location.zip"),
        ("e", "profile.email"),
        ("f", "metric"),
    ) == {
        "properties": {"x.y": 1},
        "location": {"city": 1},
        "profile": {"properties": {"p.q": 1}, "location": {"zip": 1}, "email": 1},
        "metric": 1,
    }


def test_one_column_may_go_to_several_fields() -> None:
    assert mapped({"mail": "A@b.de"}, ("mail", "email", "lower"), ("mail", "properties.mail")) == {
        "email": "a@b.de",
        "properties": {"mail": "A@b.de"},
    }


@pytest.mark.parametrize("order", [1, -1])
def test_a_mapping_on_top_of_a_whole_object_does_not_change_the_source(order: int) -> None:
    """A constant that every row shares would carry one person's values to the next."""
    shared = {"shop": "EU", "plan": "none"}
    map_row = mapper([FieldMapping("all", "properties"), FieldMapping("plan", "properties.plan")][::order])
    assert map_row({"all": shared, "plan": "gold"}) == {"properties": {"shop": "EU", "plan": "gold"}}
    assert map_row({"all": shared, "plan": None}) == {"properties": {"shop": "EU", "plan": "none"}}
    assert shared == {"shop": "EU", "plan": "none"}


def test_objects_within_a_whole_object_are_not_the_sources_either() -> None:
    about = {"properties": {"shop": "EU"}, "email": "a@b.de"}
    map_row = mapper([FieldMapping("about", "profile"), FieldMapping("plan", "profile.properties.plan")])
    assert map_row({"about": about, "plan": 1}) == {"profile": {"properties": {"shop": "EU", "plan": 1}, "email": "a@b.de"}}
    assert about == {"properties": {"shop": "EU"}, "email": "a@b.de"}


@pytest.mark.parametrize("leave_out", [None, print])
def test_a_field_of_a_whole_object_that_is_null_or_no_object(leave_out: Any) -> None:
    mappings = [FieldMapping("all", "location"), FieldMapping("city", "location.city")]
    assert mapper(mappings, leave_out=leave_out)({"all": None, "city": "Bonn"}) == {"location": {"city": "Bonn"}}
    with pytest.raises(Unmappable) as refused:
        mapper(mappings, leave_out=leave_out)({"all": "Bonn", "city": "Bonn"})
    assert (refused.value.field, refused.value.code) == ("location", "not_an_object")


def test_json_columns_as_text_merge_with_what_else_goes_there() -> None:
    assert mapped({"extra": '{"a": 1, "b": [2]}', "c": 3}, ("extra", "properties", "json"), ("c", "properties.c")) == {
        "properties": {"a": 1, "b": [2], "c": 3}
    }


def test_the_first_column_with_a_value_counts() -> None:
    mappings = [FieldMapping(["work", "home", "old"], "title", "lower", "clear")]
    map_row = mapper(mappings)
    assert map_row({"work": " ", "home": "A@b.de", "old": "c@d.de"}) == {"title": "a@b.de"}
    assert map_row({"work": NAN, "home": None, "old": "C@d.de"}) == {"title": "c@d.de"}
    assert map_row({"work": "", "home": None, "old": " "}) == {"title": None}
    assert map_row({"work": "", "home": "", "old": " "}) == {}


@pytest.mark.parametrize("filled", ["", "Smith"])
def test_a_table_without_one_of_several_columns_is_noticed_while_the_first_of_them_is_filled(filled: str) -> None:
    mappings = [FieldMapping(["work", "home", "old"], "title")]
    with pytest.raises(KlaviyoConfigError, match="no column 'home', 'old'; it has work"):
        mapper(mappings)({"work": filled})
    assert mapper(mappings, sparse=True)({"work": "Smith"}) == {"title": "Smith"}


@pytest.mark.parametrize(("wanted", "written"), [("mail", "MAIL"), ("MAIL", "mail"), ("Mail", "mail")])
def test_a_column_whose_case_the_database_changed_is_named(wanted: str, written: str) -> None:
    complaint = rf"no column '{wanted}'; it has ID, {written}\. The source has it as '{written}': .* \(AS \"{wanted}\"\), or map the column"
    with pytest.raises(KlaviyoConfigError, match=complaint):
        mapped({"ID": 1, written: "a@b.de"}, (wanted, "email"))


def test_a_row_that_is_no_object_is_rejected() -> None:
    for row in ("text", 5, None, ["a"]):
        with pytest.raises(Unmappable) as refused:
            mapped(row, ("a", "email"), sparse=True)
        assert refused.value.code == "not_an_object"


# Nulls, blanks, what is not there


@pytest.mark.parametrize("convert", [None, "lower", len])
@pytest.mark.parametrize("null", NULLS, ids=range(6))
def test_a_null_leaves_a_field_or_clears_it_and_is_never_converted(null: Any, convert: Any) -> None:
    row = {"a": null, "b": null, "c": null}
    assert mapped(row, ("a", "first_name", convert), ("b", "last_name", convert, "clear"), ("c", "properties.c", convert, "clear")) == {
        "last_name": None,
        "properties": {"c": None},
    }


@pytest.mark.parametrize(("null", "found"), [("leave", {}), ("clear", {"title": None})])
def test_what_a_converter_makes_null_is_null(null: Any, found: Any) -> None:
    assert mapped({"a": "x"}, ("a", "title", lambda _: NAN, null)) == found
    assert mapped({"a": "null"}, ("a", "title", "json", null)) == found


@pytest.mark.parametrize("name", ["lower", "number", "json", "e164:US", "strip|number", "datetime:%Y"])
@pytest.mark.parametrize("blank", ["", "   "])
def test_an_empty_text_is_no_value_and_so_cannot_be_a_bad_one(name: str, blank: str) -> None:
    """In a CSV file every absent value is an empty text."""
    assert mapped({"column": blank, "email": "a@example.com"}, ("column", "properties.field", name, "clear"), ("email", "email")) == {
        "email": "a@example.com"
    }


def test_an_empty_text_reaches_a_callable_of_ones_own() -> None:
    assert mapped({"column": ""}, ("column", "title", lambda value: value or "none")) == {"title": "none"}
    assert mapped({"column": ""}, ("column", "title", "builtins.len")) == {"title": 0}


@pytest.mark.parametrize("nothing", [*NULLS, "", "  "], ids=range(8))
def test_a_default_stands_for_what_is_not_there(nothing: Any) -> None:
    row = {"a": nothing}
    assert mapped(row, ("a", "title", "default:none", "clear")) == {"title": "none"}
    assert mapped(row, ("a", "title", "strip|default:a b, c")) == {"title": "a b, c"}
    assert mapped(row, ("a", "value", "default:0|number")) == {"value": 0}
    assert mapped(row, ("a", "value", "number|default:0")) == {"value": "0"}
    assert mapped({"a": "5"}, ("a", "value", "default:0|number")) == {"value": 5}
    assert mapped({"a": "null"}, ("a", "properties", "json|default:none")) == {"properties": "none"}


def test_a_field_may_have_no_column_but_a_default() -> None:
    assert mapped({}, (None, "metric", "default:Placed Order"), (None, "value", "default:1|number")) == {
        "metric": "Placed Order",
        "value": 1,
    }


def test_a_column_that_is_not_there_stops_the_load_and_says_which_are() -> None:
    with pytest.raises(KlaviyoConfigError, match=r"no column 'mail'; it has email, name\."):
        mapped({"email": "a@example.com", "name": "A"}, ("mail", "email"))
    with pytest.raises(KlaviyoConfigError, match=r"no column 'a', 'z'; it has 0, 1, .*, 49 and 50 more\."):
        mapped(dict.fromkeys(range(100)), ("a", "title"), ("z", "properties.z"))


def test_a_sparse_source_may_lack_a_column_and_then_the_field_is_left_alone() -> None:
    mappings = [
        FieldMapping("a", "title", "lower", "clear"),
        FieldMapping(["b", "c"], "last_name", None, "clear"),
        FieldMapping("d", "value", "default:1"),
    ]
    map_row = mapper(mappings, sparse=True)
    assert map_row({}) == {"value": "1"}
    assert map_row({"a": None, "c": "x"}) == {"title": None, "last_name": "x", "value": "1"}


def test_a_dotted_column_reaches_into_objects_unless_there_is_one_of_that_name() -> None:
    map_row = mapper(
        [FieldMapping("customer.address.city", "location.city", None, "clear"), FieldMapping("customer.tags", "properties.tags")],
        sparse=True,
    )
    assert map_row({"customer": {"address": {"city": "Bonn"}}}) == {"location": {"city": "Bonn"}}
    assert map_row({"customer.address.city": "Rome", "customer": {"address": {"city": "Bonn"}}}) == {"location": {"city": "Rome"}}
    for none in ({"customer": None}, {"customer": {"address": None}}, {"customer": {"address": {"city": None}}}):
        assert map_row(none) == {"location": {"city": None}}
    absents: list[dict[str, Any]] = [{}, {"customer": "Bonn"}, {"customer": ["Bonn"]}, {"customer": {"address": {}}}]
    for absent in absents:
        assert map_row(absent) == {}
    with pytest.raises(KlaviyoConfigError, match=r"no column 'customer\.address\.city'"):
        mapped({"customer": {"address": {"city": "Bonn"}}}, ("customer.address.city", "location.city"))


# What cannot be converted


def complain(value: Any) -> Any:
    raise RuntimeError(f"no such person: {value}")


FAULTY = [
    ("number", "unconvertible"),
    ("strip|iso8601", "unconvertible"),
    (lambda value: {"a": 1}[value], "unconvertible"),
    (lambda value: value.missing, "unconvertible"),
    (lambda value: 1 / (value != value), "unconvertible"),  # noqa: PLR0124 - zero
    (int, "unconvertible"),
    (complain, "converter_failed"),
    ("tests.loading.test_mapping.complain", "converter_failed"),
]


@pytest.mark.parametrize(("convert", "code"), FAULTY, ids=range(len(FAULTY)))
def test_what_cannot_be_converted_is_one_rows_fault_and_never_quoted(convert: Any, code: str) -> None:
    with pytest.raises(Unmappable) as refused:
        mapped({"column": SECRET}, ("column", "properties.field", convert))
    assert (refused.value.field, refused.value.code) == ("properties.field", code)
    assert refused.value.reason.startswith("column: ")
    assert ("RuntimeError" in refused.value.reason) is (code == "converter_failed")
    assert "Sarah" not in everything(refused.value)


def test_who_failed_is_said() -> None:
    for convert in (complain, "tests.loading.test_mapping.complain"):
        with pytest.raises(Unmappable, match=r"complain failed on this value \(a str\) with RuntimeError"):
            mapped({"column": SECRET}, ("column", "email", convert))


@pytest.mark.parametrize(("convert", "code"), FAULTY, ids=range(len(FAULTY)))
def test_an_optional_field_is_left_out_and_counted_and_its_row_goes_on(convert: Any, code: str) -> None:
    check = Check()
    map_row = mapper(
        [FieldMapping("mail", "email"), FieldMapping("a", "properties.a", convert), FieldMapping("a", "location.city", convert)],
        leave_out=check.leave_out,
    )
    assert check.profile(map_row({"mail": "a@b.de", "a": SECRET})) == {"email": "a@b.de"}
    assert check.dropped == {f"properties.a: {code}": 1, f"location.city: {code}": 1}


@pytest.mark.parametrize("field", ["time", "metric", "unique_id", "consent", "channels"])
def test_a_row_without_what_it_cannot_do_without_is_rejected(field: str) -> None:
    left: list[Any] = []
    with pytest.raises(Unmappable) as refused:
        mapped({"a": SECRET}, ("a", "value", "number"), ("a", field, "number"), leave_out=lambda *each: left.append(each))
    assert (refused.value.field, refused.value.code) == (field, "unconvertible")
    assert left == []  # the row is not sent, so nothing of it is left out


def test_an_identifier_that_cannot_be_converted_costs_the_row_only_where_it_was_the_last() -> None:
    check = Check()
    map_row = mapper(
        [
            FieldMapping("phone", "phone_number", "e164:US"),
            FieldMapping("n", "external_id", "integer"),
            FieldMapping("name", "first_name", complain),
        ],
        leave_out=check.leave_out,
    )
    assert check.profile(map_row({"phone": "555", "n": "7", "name": "x"})) == {"external_id": "7"}
    with pytest.raises(Invalid, match="nobody can be found by this row: its phone_number and external_id cannot be used") as refused:
        check.profile(map_row({"phone": "555", "n": "x", "name": "x"}))
    assert refused.value.code == "no_identifier"
    with pytest.raises(Invalid, match="its external_id cannot be used"):
        check.profile(map_row({"phone": "", "n": "x", "name": "x"}))
    with pytest.raises(Invalid, match="it has no email"):
        check.profile(map_row({"phone": "", "n": None, "name": "x"}))
    assert check.dropped == {
        "phone_number: unconvertible": 2,
        "external_id: unconvertible": 2,
        "first_name: converter_failed": 4,
    }


def test_the_person_of_an_event_likewise() -> None:
    check = Check()
    map_row = mapper(
        [
            FieldMapping("who", "profile", "json"),
            FieldMapping("phone", "profile.phone_number", "e164"),
            FieldMapping("a", "properties.email", "number"),
            FieldMapping(None, "metric", "default:M"),
            FieldMapping(None, "time", "default:2026-11-01|iso8601"),
        ],
        leave_out=check.leave_out,
    )
    with pytest.raises(Invalid, match=r"its profile and profile\.phone_number cannot be used"):
        check.event(map_row({"who": "{", "phone": "x", "a": "x"}))
    with pytest.raises(Invalid, match="it has no email"):
        check.event(map_row({"who": None, "phone": None, "a": "x"}))
    assert check.event(map_row({"who": '{"email": "a@b.de"}', "phone": "x", "a": 1}))["profile"] == {"email": "a@b.de"}


def test_consent_of_a_date_that_cannot_be_read_is_for_the_check_to_judge() -> None:
    """Left out, a yes would count from now on; and a no is a no without its date."""
    found = mapped({"when": SECRET}, ("when", "consented_at", "iso8601"), leave_out=print)
    assert set(found) == {"consented_at"}
    assert "Sarah" not in str(found)
    with pytest.raises(ValueError, match="isoformat"):
        datetime.fromisoformat(str(found["consented_at"]))
    with pytest.raises(Unmappable):
        mapped({"when": SECRET}, ("when", "consented_at", "iso8601"))


# The forms of a mapping


FORM: list[dict[str, Any]] = [
    {"origin_field": "mail", "destination_field": "email", "convert_function": "lower"},
    {"origin_field": "phone", "destination_field": "title", "convert_function": "e164:US", "on_null": "clear"},
    {"origin_field": ["nick", "name"], "destination_field": "first_name", "convert_function": ""},
    {"origin_field": "plan", "destination_field": "properties.plan", "convert_function": None},
    {"origin_field": "tags", "destination_field": "properties.tags"},
]
READ = [
    FieldMapping("mail", "email", "lower"),
    FieldMapping("phone", "title", "e164:US", "clear"),
    FieldMapping(("nick", "name"), "first_name"),
    FieldMapping("plan", "properties.plan"),
    FieldMapping("tags", "properties.tags"),
]


@pytest.mark.parametrize(
    "given",
    [FORM, tuple(FORM), {"mapped_fields": FORM}, json.dumps(FORM), json.dumps({"mapped_fields": FORM}), READ, [*READ[:2], *FORM[2:]]],
    ids=range(7),
)
def test_a_mapping_has_several_forms(given: Any) -> None:
    assert mappings_of(given) == READ
    assert mapper(given)({"mail": "A@B.de", "phone": None, "nick": "", "name": "A", "plan": "gold", "tags": 1}) == {
        "email": "a@b.de",
        "title": None,
        "first_name": "A",
        "properties": {"plan": "gold", "tags": 1},
    }


def test_the_form_takes_callables_and_their_dotted_paths() -> None:
    form = {
        "mapped_fields": [
            {"origin_field": "a", "destination_field": "title", "convert_function": "string.capwords"},
            {"origin_field": "a", "destination_field": "organization", "convert_function": "strip|string.capwords|upper"},
            {"origin_field": "a", "destination_field": "first_name", "convert_function": len},
        ]
    }
    assert mapper(form)({"a": " sarah connor"}) == {"title": "Sarah Connor", "organization": "SARAH CONNOR", "first_name": 13}


@pytest.mark.parametrize("nothing", [None, [], (), "[]", "null"])
def test_no_mapping_is_none(nothing: Any) -> None:
    assert mappings_of(nothing) == []


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("mail: email", "this text is no JSON"),
        ("5", "this is a int"),
        (5, "this is a int"),
        ({"mail", "email"}, "this is a set"),
        (b"[]", "this is a bytes"),
        ('"text"', "this is a str"),
        ({}, "has the one key 'mapped_fields', a list of mappings, and this one has no key"),
        ({"mail": "email"}, "and this one has 'mail'"),
        ({"mapped_fields": FORM, "table": "x"}, "and this one has 'mapped_fields', 'table'"),
        ({"mapped_fields": []}, "lists no mapping"),
        ({"mapped_fields": None}, "lists no mapping"),
        ({"mapped_fields": "mail"}, "this is a str"),
        (FORM[0], "and this one has 'origin_field'"),
        ([*FORM, "mail"], "entry 6: a mapping is a FieldMapping, or an object with origin_field.* this is a str"),
        ([("mail", "email")], "entry 1: .* this is a tuple"),
        ([{**FORM[0], "convert": "lower", "default": 1}], "entry 1: a mapping has no 'convert', 'default'; it has origin_field"),
        ([FORM[0], {"origin_field": "a"}], "entry 2 lacks destination_field"),
        ([{}], "entry 1 lacks origin_field and destination_field"),
        ([{**FORM[0], "on_null": "drop"}], "entry 1: .*on_null is one of leave, clear"),
        ([{**FORM[0], "convert_function": "uper"}], "entry 1: The mapping of 'mail' to 'email': There is no converter 'uper'"),
        ([{**FORM[0], "convert_function": 5}], "entry 1: .*not a int"),
        ([{**FORM[0], "destination_field": None}], "entry 1: .*needs a destination_field"),
        ([{**FORM[0], "origin_field": 5}], "entry 1: .*origin_field is the name of a column"),
        ([{**FORM[0], "origin_field": []}], "entry 1: .*origin_field is the name of a column"),
        ([{**FORM[0], "origin_field": ["a", None]}], "entry 1: .*origin_field is the name of a column"),
        ([{**FORM[0], "origin_field": None}], "entry 1: .*'email' has no origin_field, and so needs a default"),
        ([{"origin_field": "a", "destination_field": "email"}, FORM[0]], "both 'a' and 'mail' go to 'email'"),
        ([FORM[2], {"origin_field": "a", "destination_field": "first_name"}], "both 'nick' or 'name' and 'a' go to 'first_name'"),
        ([FORM[3], FORM[3]], "both 'plan' and 'plan' go to 'properties.plan'"),
    ],
    ids=range(29),
)
def test_what_is_no_mapping_is_refused_and_where_it_is_wrong_is_said(given: Any, complaint: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=complaint):
        mappings_of(given)


@pytest.mark.parametrize("destination", ["", ".", "..", "properties.", "profile.", "profile.properties.", "location."])
def test_a_mapping_needs_a_field_to_go_to(destination: str) -> None:
    with pytest.raises(KlaviyoConfigError, match="'column' needs a destination_field"):
        FieldMapping("column", destination)


def test_columns_may_be_named_as_the_fields_they_go_to() -> None:
    mappings = as_columns(["email", "properties.plan", "location.city"])
    assert mappings == [FieldMapping(name, name) for name in ("email", "properties.plan", "location.city")]
    assert mapper(mappings)({"email": "a@b.de", "properties.plan": "gold", "location.city": None, "more": 1}) == {
        "email": "a@b.de",
        "properties": {"plan": "gold"},
    }


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["email", "name", "email", "name", "x"], "has 'email', 'name' more than once"),
        (["email", "", " ", None], "Column 2, 3, 4 of the source has no name"),
        (["email", "properties."], "needs a destination_field"),
    ],
)
def test_columns_that_cannot_be_fields(names: Any, complaint: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=complaint):
        as_columns(names)


@pytest.mark.parametrize("key_field", ["id", "number", None])
def test_the_sources_own_id_is_not_taken_for_klaviyos(key_field: str | None) -> None:
    columns = ["id", "number", "email"]
    if key_field != "id":
        assert [each.destination_field for each in as_columns(columns, key_field=key_field)] == columns
        return
    with pytest.raises(KlaviyoConfigError, match=r"id AS customer_id .* or give a mapping"):
        as_columns(columns, key_field=key_field)
    assert as_columns(["email"], key_field="id") == [FieldMapping("email", "email")]


# Fields that there are


CLEARED = ["first_name", "last_name", "organization", "title", "image", "locale", "location.latitude", "location.ip", "properties.a.b"]
UNCLEARED = [
    *("email", "phone_number", "external_id", "id", "_kx", "profile.email", "profile.anonymous_id"),
    *("metric", "time", "value", "value_currency", "unique_id", "consent", "channels", "consented_at"),
    *("properties", "location", "profile", "profile.properties", "profile.location", "location.street"),
]


@pytest.mark.parametrize("name", UNCLEARED)
def test_a_null_that_is_to_empty_what_cannot_be_emptied_is_refused(name: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=f"'a' to '{name}': on_null='clear' empties first_name.* nothing else can be emptied"):
        FieldMapping("a", name, on_null="clear")
    with pytest.raises(KlaviyoConfigError, match=r"entry 1: .*nothing else can be emptied"):
        mappings_of([{"origin_field": "a", "destination_field": name, "on_null": "clear"}])
    assert FieldMapping("a", name).on_null == "leave"


@pytest.mark.parametrize("name", CLEARED)
def test_what_may_be_emptied_leaves_as_a_null(name: str) -> None:
    row = {"email": "a@b.de", "a": None}
    cleared = mapped(row, ("email", "email"), ("a", name, None, "clear"))
    assert Check("reject_row").profile(cleared) == cleared
    outer, _, inner = name.partition(".")
    assert cleared == {"email": "a@b.de", outer: {inner: None} if inner else None}
    of_event = mapped(row, ("email", "profile.email"), ("a", f"profile.{name}", None, "clear"))
    assert Check().event({"metric": "M", "time": datetime.now(UTC), **of_event})["profile"] == cleared


def goes(*names: str) -> list[FieldMapping]:
    return [FieldMapping(f"column {at}", name) for at, name in enumerate(names)]


SUFFICES: dict[Loaded, tuple[str, ...]] = {
    "profiles": ("email",),
    "events": ("metric", "time", "profile.email"),
    "consent": ("consent", "email"),
    "members": ("external_id",),
}


@pytest.mark.parametrize("kind", SUFFICES)
def test_every_field_there_is_may_be_gone_to(kind: Loaded) -> None:
    check_destinations(goes(*SUFFICES[kind]), kind)
    check_destinations(goes(*fields_of(kind)), kind)
    check_destinations(json.dumps([{"origin_field": name, "destination_field": name} for name in SUFFICES[kind]]), kind)


def test_fields_of_ones_own_may_be_gone_to() -> None:
    check_destinations(goes("_kx", "properties", "properties.a.b", "location", "location.zip"), "profiles")
    check_destinations(goes("metric", "time", "profile", "properties.a", "profile.properties.b", "profile.location.zip"), "events")


@pytest.mark.parametrize(
    ("kind", "name", "complaint"),
    [
        (
            "profiles",
            "emial",
            r"No field of a profile is called 'emial' \(did you mean 'email'\?\)\. Fields of your own .*properties\.emial",
        ),
        ("profiles", "phone", "'phone_number'"),
        ("profiles", "city", r"'location\.city'"),
        ("profiles", "location.adress1", r"'location\.address1'"),
        ("profiles", "profile.email", "'email'"),
        ("profiles", "Email", "'email'"),
        ("profiles", "value", r"is called 'value'\. Fields of your own go under properties \(properties\.value\)"),
        ("profiles", "anonymous_id", "is called 'anonymous_id'"),
        ("events", "email", r"No field of an event .* 'profile\.email'"),
        ("events", "currency", "'value_currency'"),
        ("events", "profile.fist_name", r"'profile\.first_name'"),
        ("events", "location.zip", r"'profile\.location\.zip'"),
        ("events", "profile.city", r"'profile\.location\.city'"),
        ("consent", "chanels", r"row of consent .* 'channels'\?\)\. It has age_gated_date_of_birth, channels"),
        ("consent", "properties.plan", r"'properties\.plan'\. It has"),
        ("members", "first_name", r"list's members is called 'first_name'.* It has email, external_id, id, phone_number\."),
    ],
)
@pytest.mark.parametrize("some", [True, False])
def test_a_destination_that_there_is_not_is_refused_with_the_nearest_before_any_row(
    kind: Loaded, name: str, complaint: str, some: bool
) -> None:
    with pytest.raises(KlaviyoConfigError, match=complaint):
        check_destinations(goes(*SUFFICES[kind], name), kind, some=some)


def test_all_wrong_destinations_are_named_at_once() -> None:
    with pytest.raises(
        KlaviyoConfigError, match=r"is called 'frist_name' \(did you mean 'first_name'\?\), 'spent'\. .*properties\.frist_name"
    ):
        check_destinations(goes("email", "frist_name", "spent"), "profiles")
    with pytest.raises(KlaviyoConfigError, match=r"'x0', .* and 50 more"):
        check_destinations(goes("email", *(f"x{at}" for at in range(100))), "profiles")


def test_columns_in_capitals_are_said_to_be_the_databases_way() -> None:
    complaint = (
        r"is called 'EMAIL', 'FIRST_NAME'\. The source has it as 'EMAIL': databases write .* \(AS \"email\"\), or map the column 'EMAIL'\.$"
    )
    with pytest.raises(KlaviyoConfigError, match=complaint):
        check_destinations(as_columns(["EMAIL", "FIRST_NAME"]), "profiles", some=True)
    with pytest.raises(KlaviyoConfigError, match=r"'PLAN'\. Fields .* \(properties\.PLAN\)\. The source has it as 'EMAIL'"):
        check_destinations(as_columns(["EMAIL", "PLAN"]), "profiles")


@pytest.mark.parametrize(
    ("kind", "names", "complaint"),
    [
        ("profiles", ["first_name", "properties.a"], "Nothing goes to email, phone_number, external_id or id, and by one of them"),
        ("events", ["time", "profile.email"], "Nothing goes to metric, and an event cannot do without"),
        ("events", ["value", "profile"], "Nothing goes to metric and time"),
        ("events", ["metric", "time", "profile.first_name"], r"Nothing goes to profile, profile\.email, .* or profile\.anonymous_id"),
        ("consent", ["email", "channels"], "Nothing goes to consent, and a row of consent cannot do without"),
        ("consent", ["consent", "id"], "Nothing goes to email or phone_number"),
    ],
)
def test_a_mapping_of_which_no_row_could_be_sent_is_refused(kind: Loaded, names: list[str], complaint: str) -> None:
    with pytest.raises(KlaviyoConfigError, match=complaint):
        check_destinations(goes(*names), kind)
    check_destinations(goes(*names), kind, some=True)  # another row of the source may have what this one lacks


def test_what_every_row_gets_by_default_counts_as_gone_to() -> None:
    constants = [FieldMapping(None, "metric", "default:Placed Order"), FieldMapping(None, "consent", "default:subscribed")]
    check_destinations([constants[0], *goes("time", "profile.external_id")], "events")
    check_destinations([constants[1], *goes("phone_number")], "consent")


# A country for phone numbers


def test_phone_numbers_without_a_country_of_their_own_take_the_loads() -> None:
    mappings = [
        FieldMapping("phone", "phone_number", "e164"),
        FieldMapping("phone", "properties.sms", "strip|e164"),
        FieldMapping("other", "properties.other", "e164:US"),
    ]
    row = {"phone": "030 901820", "other": "(415) 555-2671"}
    assert mapper(mappings, region="de")(row) == {
        "phone_number": "+4930901820",
        "properties": {"sms": "+4930901820", "other": "+14155552671"},
    }
    with pytest.raises(Unmappable, match="phone: e164 cannot convert"):
        mapper(mappings)(row)
    with pytest.raises(KlaviyoConfigError, match="no region 'XX'"):
        mapper(mappings, region="XX")


# The whole way


def test_a_file_that_has_nothing_but_text_loses_no_value_and_no_place(klaviyo: SandboxServer, tmp_path: Path) -> None:
    bought = {"number": "1", "mail": "a@example.com", "at": "2026-11-01T10:00:00Z", "total": "49.90", "lat": "52.5", "note": "7"}
    mapping = [
        *(FieldMapping("mail", "profile.email"), FieldMapping("lat", "profile.location.latitude"), FieldMapping("note", "properties.note")),
        *(FieldMapping("at", "time"), FieldMapping("total", "value"), FieldMapping(None, "metric", "default:Placed Order")),
    ]
    report = load(klaviyo, [bought], plan("events", tmp_path, mapping=mapping, key_field="number"))
    assert (report.read, report.accepted, report.dropped) == (1, 1, {})
    (sent,) = [each.body["data"]["attributes"] for each in klaviyo.klaviyo.received if each.name == EVENT_JOBS]
    (entry,) = sent["events-bulk-create"]["data"]
    (event,) = entry["attributes"]["events"]["data"]
    assert (event["attributes"]["value"], event["attributes"]["properties"]) == (49.9, {"note": "7"})
    assert entry["attributes"]["profile"]["data"]["attributes"]["location"] == {"latitude": 52.5}


MESSY: list[dict[str, Any]] = [
    {"id": 1, "mail": " Sarah@Example.com", "mobile": None, "landline": "(415) 555-2671", "age": "41", "extra": '{"shop": "EU"}'},
    {"id": 2, "mail": "SARAH@example.COM", "mobile": "", "landline": "", "age": "", "extra": None},
    {"id": 3, "mail": "mia@example.com", "mobile": "555", "landline": None, "age": "twelve", "extra": "{"},
    {"id": 4, "mail": None, "mobile": "555", "landline": None, "age": NAN, "extra": None},
    {"id": 5, "mail": "", "mobile": "+14155552672", "landline": None, "age": 40.0, "extra": {"shop": "US"}},
]
MAPPED = {
    "mapped_fields": [
        {"origin_field": "mail", "destination_field": "email", "convert_function": "lower"},
        {"origin_field": ["mobile", "landline"], "destination_field": "phone_number", "convert_function": "e164:US"},
        {"origin_field": "age", "destination_field": "properties.age", "convert_function": "integer"},
        {"origin_field": "extra", "destination_field": "properties", "convert_function": "json"},
        {"origin_field": None, "destination_field": "properties.source", "convert_function": "default:shop"},
    ]
}


@pytest.mark.parametrize("mapping", [MAPPED, json.dumps(MAPPED), MAPPED["mapped_fields"]], ids=["form", "text", "list"])
def test_messy_rows_arrive_as_they_should_and_each_has_its_fate(klaviyo: SandboxServer, tmp_path: Path, mapping: Any) -> None:
    report = load(
        klaviyo, MESSY, plan("profiles", tmp_path, mapping=mapping, key_field="id", rejects_path=tmp_path / "rejects", allowed_rejects=2)
    )
    assert (report.read, report.loaded, report.duplicate, report.rejected) == (5, 3, 1, 1)
    assert report.dropped == {"phone_number: unconvertible": 2, "properties.age: unconvertible": 1, "properties: unconvertible": 1}
    assert [(line["key"], line["code"]) for line in rejects(report)] == [("2", "duplicate"), ("4", "no_identifier")]
    assert rejects(report)[1]["reason"] == "nobody can be found by this row: its phone_number cannot be used"
    arrived = {(email, phone): json.loads(attributes)["properties"] for email, phone, *_, attributes in held(klaviyo)["profiles"]}
    assert arrived == {
        ("sarah@example.com", "+14155552671"): {"age": 41, "shop": "EU", "source": "shop"},
        ("mia@example.com", ""): {"source": "shop"},
        ("", "+14155552672"): {"age": 40, "shop": "US", "source": "shop"},
    }


def test_rows_with_what_cannot_be_converted_are_rejected_where_that_is_asked_for(klaviyo: SandboxServer, tmp_path: Path) -> None:
    made = plan(
        "profiles", tmp_path, mapping=MAPPED, key_field="id", rejects_path=tmp_path / "rejects", allowed_rejects=2, on_invalid="reject_row"
    )
    report = load(klaviyo, MESSY, made)
    assert (report.read, report.loaded, report.duplicate, report.rejected, report.dropped) == (5, 2, 1, 2, {})
    assert [(line["key"], line["stage"], line["code"], line["pointer"]) for line in rejects(report)] == [
        ("2", "dedupe", "duplicate", ""),
        ("3", "map", "unconvertible", "phone_number"),
        ("4", "map", "unconvertible", "phone_number"),
    ]


# Whatever a driver gives


def test_what_numpy_holds_is_sent_as_what_it_is() -> None:
    values = [numpys(5), numpys([1, [2.5]]), numpys(datetime(2026, 1, 1, tzinfo=UTC), "M"), numpys(None, "M")]
    row = {str(at): value for at, value in enumerate(values)}
    found = mapper([FieldMapping(str(at), f"properties.{at}") for at in range(4)])(row)
    assert Check().profile({"id": "x"} | found)["properties"] == {"0": 5, "1": [1, [2.5]], "2": "2026-01-01T00:00:00+00:00", "3": None}
    assert mapped({"a": numpys(7)}, ("a", "external_id", "text")) == {"external_id": "7"}


class Row(Mapping[str, Any]):
    """A row as SQLAlchemy has them: a mapping, and no dict."""

    def __init__(self, **columns: Any) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Any:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def test_a_row_is_any_mapping() -> None:
    assert mapped(Row(a="x", b=None), ("a", "email"), ("b", "title", None, "clear")) == {"email": "x", "title": None}


ANY = VALUES | st.sampled_from(
    [*NULLS, object(), 1j, range(3), numpys(b"x"), Row(a=NAN), {"a": {1: NAType()}}, {(1, 2): 3}, {10**5_000: 1}]
)
CONVERTS = st.sampled_from([None, "text", "json", "number", "split", "e164", "iso8601|date", "default:x|upper", complain, "builtins.list"])
FIELDS = ["email", "phone_number", "external_id", "first_name", "locale", "image", "location.city", "location.latitude", "properties.p"]
EVENT_FIELDS = [*(f"profile.{name}" for name in FIELDS), "metric", "time", "value", "value_currency", "unique_id", "properties.q"]


@given(st.data(), st.booleans(), st.sampled_from(["drop_field", "reject_row"]))
def test_whatever_a_row_holds_it_is_sent_or_rejected_and_never_quoted(data: st.DataObject, an_event: bool, rule: Any) -> None:
    names = EVENT_FIELDS if an_event else FIELDS
    nulls = {name: st.sampled_from(get_args(OnNull) if is_clearable(name) else ("leave",)) for name in names}
    mappings = [FieldMapping(name, name, data.draw(CONVERTS), data.draw(nulls[name])) for name in names]
    check = Check(rule)
    map_row = mapper(mappings, leave_out=check.leave_out if rule == "drop_field" else None)
    row = {name: data.draw(ANY | st.just(SECRET)) for name in names}
    refused: Exception | None = None
    try:
        json.dumps((check.event if an_event else check.profile)(map_row(row)))
    except (Unmappable, Invalid) as error:
        refused = error
    assert "Sarah" not in everything(refused)
    assert "Sarah" not in str(check.dropped)
    assert check._lost == []
