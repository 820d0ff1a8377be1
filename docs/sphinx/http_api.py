"""The HTTP API as its OpenAPI description has it: operations by topic, and the shapes they take and give."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from serving.app import build_app
from serving.settings import ServingSettings

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a shape."""

    name: str
    kind: str
    """In Markdown; shapes are links."""
    required: bool
    description: str
    place: str = ""
    """Of a parameter: path, query or header."""


@dataclass(frozen=True)
class Operation:
    """A method of an address."""

    topic: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    """Empty where anybody may ask."""
    parameters: tuple[Field, ...]
    body: str
    answers: tuple[tuple[str, str, str], ...]
    """Status, meaning, shape."""


@dataclass(frozen=True)
class Shape:
    """A named schema."""

    name: str
    description: str
    kind: str
    """What it is, where it is no object."""
    fields: tuple[Field, ...]


@cache
def read_description() -> dict[str, Any]:
    """Read the description of the application with every part of it switched on."""
    return build_app(ServingSettings()).openapi()


def read_operations() -> dict[str, list[Operation]]:
    """Read all operations, by topic, in the order in which the application has them."""
    topics: dict[str, list[Operation]] = {}
    for path, methods in read_description()["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = _read_operation(path, method, methods[method])
                topics.setdefault(operation.topic, []).append(operation)
    return topics


def read_schemas() -> list[Shape]:
    """Read all named schemas, in the order of their names."""
    schemas = read_description()["components"]["schemas"]
    return [_read_shape(name, schemas[name]) for name in sorted(schemas, key=str.lower)]


def _read_operation(path: str, method: str, described: Mapping[str, Any]) -> Operation:
    return Operation(
        topic=next(iter(described.get("tags", ())), "other"),
        method=method.upper(),
        path=path,
        summary=described.get("summary", ""),
        description=described.get("description", ""),
        permission=described.get("x-permission", ""),
        parameters=tuple(
            Field(
                each["name"],
                describe_kind(each["schema"]),
                each.get("required", False),
                each.get("description", ""),
                each["in"],
            )
            for each in described.get("parameters", ())
        ),
        body=_describe_content(described.get("requestBody", {})),
        answers=tuple(
            (status, answer.get("description", ""), _describe_content(answer))
            for status, answer in sorted(described.get("responses", {}).items())
        ),
    )


def _describe_content(holder: Mapping[str, Any]) -> str:
    content = holder.get("content", {})
    kinds = [
        f"{describe_kind(each['schema'])} (`{media}`)" if each.get("schema") else f"`{media}`"
        for media, each in content.items()
    ]
    return " or ".join(kinds)


def _read_shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = set(schema.get("required", ()))
    fields = tuple(
        Field(field, describe_kind(each), field in required, each.get("description", ""))
        for field, each in schema.get("properties", {}).items()
    )
    return Shape(
        name, schema.get("description", ""), "" if fields else describe_kind(schema), fields
    )


def describe_kind(schema: Mapping[str, Any]) -> str:
    """Say in Markdown what values a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#shape-{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(describe_kind(each) for each in schema[key])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {describe_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {describe_kind(schema['additionalProperties'])}"
    if isinstance(kind, list):
        kind = " or ".join(kind)
    return kind + "".join(_describe_limits(schema))


def _describe_limits(schema: Mapping[str, Any]) -> Iterator[str]:
    if "format" in schema:
        yield f" ({schema['format']})"
    if "minimum" in schema:
        yield f", at least {schema['minimum']}"
    if "maximum" in schema:
        yield f", at most {schema['maximum']}"
    if "maxLength" in schema:
        yield f", up to {schema['maxLength']} characters"
    if "default" in schema and schema["default"] is not None:
        yield f"; `{schema['default']}` if left out"
