"""The described API: schemas and examples of bodies that are read and written by hand.

Hot routes read and write bytes; this puts their schemas where the framework would have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from pydantic import TypeAdapter

from serving.web_api.problems import MEDIA_TYPE

REF_TEMPLATE = "#/components/schemas/{model}"
STRUCT_TEMPLATE = "#/components/schemas/{name}"

PROBLEM_WORDS: dict[int, str] = {
    400: "A header cannot be read.",
    401: "The key is missing or wrong.",
    403: "The role may not do this.",
    404: "There is no such thing.",
    409: "The same request is still under way, or what is asked goes against what there is.",
    410: "It is gone: the lead was erased, or the model of that time is no longer stored.",
    413: "The body or the batch is too large.",
    415: "The body is not declared as JSON, or is compressed.",
    422: "The payload is not valid; `errors` says where.",
    429: "The caller asks too often; `Retry-After` says how long to wait.",
    503: "No model is served yet, or the store does not answer.",
}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": REF_TEMPLATE.format(model=schema)}


def describe_body(schema: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the body a route takes."""
    content = {"application/json": {"schema": _ref(schema), "examples": dict(examples)}}
    return {"requestBody": {"required": True, "content": content}}


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems a route may answer with."""
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {
        status: {"description": PROBLEM_WORDS[status], "content": content} for status in statuses
    }


def describe_answers(schema: str, *problems: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answer and the problems it may answer with instead."""
    content = {"application/json": {"schema": _ref(schema)}}
    return {
        200: {"description": "The answer.", "content": content},
        **describe_problems(*problems),
    }


def build_schemas(inputs: Sequence[type[Any]], outputs: Sequence[type[Any]]) -> dict[str, Any]:
    """Build the schemas of records, and of what they contain, by name."""
    structs = [record for record in (*inputs, *outputs) if issubclass(record, msgspec.Struct)]
    inputs, outputs = ([r for r in records if r not in structs] for records in (inputs, outputs))
    described = [
        *(((name := record.__name__), "validation", TypeAdapter(record)) for record in inputs),
        *(((name := record.__name__), "serialization", TypeAdapter(record)) for record in outputs),
    ]
    schemas: dict[str, Any] = {}
    for name, mode, adapter in described:
        schema = adapter.json_schema(mode=mode, ref_template=REF_TEMPLATE)  # type: ignore[arg-type]
        schemas |= schema.pop("$defs", {})
        schemas.setdefault(name, schema)
    _, components = msgspec.json.schema_components(structs, ref_template=STRUCT_TEMPLATE)
    return {**components, **schemas}


def add_schemas(app: FastAPI, inputs: Sequence[type[Any]], outputs: Sequence[type[Any]]) -> None:
    """Have the app's description name the schemas of records its routes refer to."""
    describe: Callable[[], dict[str, Any]] = app.openapi

    def describe_with_schemas() -> dict[str, Any]:
        description = describe()
        components = description.setdefault("components", {})
        components["schemas"] = {
            **components.get("schemas", {}),
            **build_schemas(inputs, outputs),
        }
        return description

    app.openapi = describe_with_schemas  # type: ignore[method-assign]
