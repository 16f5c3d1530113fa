"""Read the form that a request's schema asks for, and check an answer against it. Pure.

A schema is one flat object, as in MCP's elicitation: strings, numbers, booleans, choices. Whatever else it holds is
asked for as JSON. ``requests.py`` asks, the page and the terminal show the fields.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from .._foreign_words import clean_logger
from .._forms.wording import in_line, name_in_line

if TYPE_CHECKING:
    from ..events import Option

__all__ = ["Field", "ask_in_lines", "check_value", "fields_of", "form_of"]

log = clean_logger("vibe_notebook")

FIELDS: Final = 50
"""Fields of one form; a larger schema is one JSON field."""
CHOICES: Final = 100
"""Choices of one field; a field with more is asked for as text."""
ALONE: Final = "value"
"""Name of the only field of a schema that is no object."""

Kind = Literal["text", "number", "integer", "boolean", "choice", "choices", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one field of a form; ``choices`` are (value, label)."""

    name: str
    label: str
    kind: Kind
    required: bool = False
    about: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    default: Any = None
    secret: bool = False


def fields_of(schema: Any) -> tuple[Field, ...] | None:
    """Return the fields of a schema; ``None`` where the answer is one value: a schema of no object."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return None
    properties = schema["properties"]
    if len(properties) > FIELDS:
        return None
    required = schema.get("required")
    names = set(filter(_is_text, required)) if isinstance(required, list) else set()
    return tuple(_field(str(name), one, required=name in names) for name, one in properties.items())


def form_of(schema: Any, options: tuple[Option, ...], default: Any) -> list[Field]:
    """Return the fields that ask for an answer."""
    if options:
        choices = tuple((one.value, name_in_line(one.label) or _words(one.value)) for one in options)
        return [Field(ALONE, "", "choice", True, choices=choices, default=default)]
    if schema is None:
        return [Field(ALONE, "", "text", True, default=default)]
    if (fields := fields_of(schema)) is None:
        return [_alone(schema, default)]
    given = default if isinstance(default, Mapping) else {}
    return [
        Field(f.name, f.label, f.kind, f.required, f.about, f.choices, given.get(f.name, f.default), f.secret)
        for f in fields
    ]


def _alone(schema: Any, default: Any) -> Field:
    if not isinstance(schema, Mapping) or schema.get("type") not in (
        "string",
        "number",
        "integer",
        "boolean",
    ):
        return Field(ALONE, "Answer as JSON", "json", True, default=default)
    field = _field(ALONE, schema, required=True)
    return Field(ALONE, "", field.kind, True, field.about, field.choices, default or field.default)


def _field(name: str, schema: Any, *, required: bool) -> Field:
    found = schema if isinstance(schema, Mapping) else {}
    label = name_in_line(found.get("title")) if _is_text(found.get("title")) else name_in_line(name)
    about = in_line(found["description"], 300) if _is_text(found.get("description")) else ""
    choices = _choices(found)
    kind = found.get("type")
    items = found.get("items")
    made: Kind = "json"
    if choices:
        made = "choice"
    elif kind == "array" and isinstance(items, Mapping) and (choices := _choices(items)):
        made = "choices"
    elif kind in ("number", "integer", "boolean"):
        made = kind
    elif kind == "string":
        made = "text"
    secret = found.get("format") == "password" or found.get("writeOnly") is True
    return Field(name, label, made, required, about, choices, found.get("default"), secret)


def _choices(schema: Mapping[str, Any]) -> tuple[tuple[Any, str], ...]:
    values = schema.get("enum")
    if isinstance(values, list):
        names = schema.get("enumNames")
        labels = names if isinstance(names, list) and len(names) == len(values) else values
        pairs = list(zip(values, labels, strict=True))
    else:
        listed = schema.get("oneOf", schema.get("anyOf"))
        if not isinstance(listed, list) or not all(
            isinstance(one, Mapping) and "const" in one for one in listed
        ):
            return ()
        pairs = [(one["const"], one.get("title", one["const"])) for one in listed]
    if not 0 < len(pairs) <= CHOICES:
        return ()
    return tuple((value, in_line(label if _is_text(label) else _words(label), 200)) for value, label in pairs)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


# Checking


def check_value(schema: Any, options: tuple[Option, ...], value: Any) -> Any:
    """Return the value of an answer, with whole numbers where the schema asks for them.

    Raises ``ValueError`` that names the field and says what fits.
    """
    if options:
        if not any(_is_same(value, one.value) for one in options):
            offered = ", ".join(_words(one.value) for one in options[:10])
            msg = f"{in_line(_words(value), 100)!r} is none of the options: {in_line(offered, 300)}."
            raise ValueError(msg)
        return value
    if schema is None:
        return value
    fields = fields_of(schema)
    if fields is None:
        if not isinstance(schema, Mapping):
            return value
        alone = _alone(schema, None)
        value = _checked(alone, schema, value)
        return _valid(schema, value) if alone.kind == "json" else value
    if not isinstance(value, Mapping):
        msg = f"The answer has to be an object with the fields {', '.join(f.name for f in fields)}."
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for whatever does not fit
    known = {field.name: field for field in fields}
    if schema.get("additionalProperties") is False and (odd := [name for name in value if name not in known]):
        msg = f"{odd[0]}: no such field; the fields are {', '.join(known)}."
        raise ValueError(msg)
    missing = [name for name, field in known.items() if field.required and value.get(name) is None]
    if missing:
        msg = f"{missing[0]}: an answer is needed."
        raise ValueError(msg)
    found = {
        name: _checked(known[name], schema["properties"][name], one)
        if name in known and one is not None
        else one
        for name, one in value.items()
    }
    return _valid(schema, found) if any(field.kind == "json" for field in known.values()) else found


def _valid(schema: Mapping[str, Any], value: Any) -> Any:
    """Return a value that fits a nested schema, where the package jsonschema is there to check it.

    Patterns are not checked: a server's pattern could take for ever. References to other documents are not followed.
    """
    try:
        package, references = import_module("jsonschema"), import_module("referencing")
    except ModuleNotFoundError:
        return value
    rules = {"pattern": None, "patternProperties": None}
    checker = package.validators.extend(package.Draft202012Validator, rules)
    try:
        error = next(checker(schema, registry=references.Registry()).iter_errors(value), None)
    except Exception:  # the schema is at fault, in any way; the answer is not
        log.warning("The schema of a request cannot be read; its answer is not checked", exc_info=True)
        return value
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "The answer"
        _refuse(in_line(where, 100), in_line(error.message, 300))
    return value


def _is_same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _checked(field: Field, schema: Any, value: Any) -> Any:
    where = field.name
    if field.kind == "choice":
        if not any(_is_same(value, one) for one, _ in field.choices):
            _refuse(where, f"one of {', '.join(label for _, label in field.choices[:20])} is needed")
    elif field.kind == "choices":
        if not isinstance(value, list) or not all(
            any(_is_same(v, one) for one, _ in field.choices) for v in value
        ):
            _refuse(where, f"a list of {', '.join(label for _, label in field.choices[:20])} is needed")
    elif field.kind == "boolean":
        if not isinstance(value, bool):
            _refuse(where, "true or false is needed")
    elif field.kind in ("number", "integer"):
        return _number(field, schema, value)
    elif field.kind == "text":
        _text(where, schema, value)
    return value


def _number(field: Field, schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        _refuse(field.name, "a number is needed")
    if field.kind == "integer":
        if value != int(value):
            _refuse(field.name, "a whole number is needed")
        value = int(value)
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and value < least:
        _refuse(field.name, f"at least {least} is needed")
    if isinstance(most, int | float) and value > most:
        _refuse(field.name, f"at most {most} is allowed")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _text(where: str, schema: Mapping[str, Any], value: Any) -> None:
    if not isinstance(value, str):
        _refuse(where, "text is needed")
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(value) < least:
        _refuse(where, f"at least {least} characters are needed")
    if isinstance(most, int) and len(value) > most:
        _refuse(where, f"at most {most} characters are allowed")


def _refuse(where: str, words: str) -> None:
    msg = f"{where}: {words}."
    raise ValueError(msg)


# Asking in lines of text: a terminal, or the input of a kernel


_YES: Final = re.compile(r"y(es)?|ok|accept|approve", re.IGNORECASE)
_NO: Final = re.compile(r"no?|decline|deny", re.IGNORECASE)


def ask_in_lines(
    kind: str, question: str, fields: list[Field], read: Callable[[str], str]
) -> tuple[Literal["accept", "decline", "cancel"], Any]:
    """Ask by lines of text until an answer fits; return the action and the value. An end of input cancels."""
    try:
        if kind == "approval":
            return _ask_yes(question, read), None
        if len(fields) == 1 and fields[0].name == ALONE:
            return "accept", _ask_field(fields[0], question, read)
        read_first = question
        found: dict[str, Any] = {}
        for field in fields:
            value = _ask_field(field, f"{read_first}\n{field.label}" if read_first else field.label, read)
            read_first = ""
            if value is not None:
                found[field.name] = value
    except EOFError:
        return "cancel", None
    return "accept", found


def _ask_yes(question: str, read: Callable[[str], str]) -> Literal["accept", "decline"]:
    while True:
        said = read(f"{question} [y/n] ").strip()
        if _YES.fullmatch(said):
            return "accept"
        if _NO.fullmatch(said):
            return "decline"


def _ask_field(field: Field, words: str, read: Callable[[str], str]) -> Any:
    lines = [words, *([field.about] if field.about else [])]
    lines += [f"  {number}. {label}" for number, (_, label) in enumerate(field.choices, 1)]
    hint = {"boolean": " [y/n]", "json": " (JSON)", "choices": " (numbers, with commas)"}.get(field.kind, "")
    default = f" [{in_line(_words(field.default), 60)}]" if field.default is not None else ""
    prompt = "\n".join(lines) + f"{hint}{default} "
    while True:
        said = read(prompt).strip()
        if not said and (field.default is not None or not field.required):
            return field.default
        try:
            return _read_field(field, said)
        except ValueError as error:
            prompt = f"{error} "


def _read_field(field: Field, said: str) -> Any:
    match field.kind:
        case "choice":
            return _chosen(field, said)
        case "choices":
            return [_chosen(field, one.strip()) for one in said.split(",") if one.strip()]
        case "boolean":
            if _YES.fullmatch(said) or said.lower() == "true":
                return True
            if _NO.fullmatch(said) or said.lower() == "false":
                return False
            msg = "y or n?"
            raise ValueError(msg)
        case "integer" | "number":
            try:
                return int(said) if field.kind == "integer" else float(said)
            except ValueError:
                msg = "A whole number?" if field.kind == "integer" else "A number?"
                raise ValueError(msg) from None
        case "json":
            try:
                return json.loads(said)
            except ValueError as error:
                msg = f"This is no JSON ({error}):"
                raise ValueError(msg) from None
        case _:
            if not said:
                msg = "An answer is needed:"
                raise ValueError(msg)
            return said


def _chosen(field: Field, said: str) -> Any:
    if said.isdecimal() and 0 < int(said) <= len(field.choices):
        return field.choices[int(said) - 1][0]
    for value, label in field.choices:
        if said.lower() in (label.lower(), _words(value).lower()):
            return value
    msg = f"A number from 1 to {len(field.choices)}?"
    raise ValueError(msg)
