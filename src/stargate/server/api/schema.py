"""The OpenAPI document: paths from the routes, schemas from the very records that the routes read and write.

Litestar describes paths and parameters, `describe` the records.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar._openapi.schema_generation import SchemaCreator
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Schema, SecurityScheme
from litestar.plugins import OpenAPISchemaPlugin
from litestar.types import Method
from litestar.typing import FieldDefinition

from stargate import __version__
from stargate.base import wire
from stargate.server.access import ANYBODY
from stargate.server.api.describe import Schemas


class Records(OpenAPISchemaPlugin):
    """Describes the records that Litestar meets, each once, and refers to them by name."""

    def __init__(self) -> None:
        self.schemas = Schemas()

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Whether it is a record."""
        return isinstance(value, type) and issubclass(value, msgspec.Struct)

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether a field holds a record."""
        return self.is_plugin_supported_type(field_definition.annotation)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        """A reference."""
        return _Reference(reference=self.schemas.reference(field_definition.annotation))


@dataclasses.dataclass
class _Reference(Schema):
    reference: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_schema(self) -> dict[str, Any]:
        """The reference alone: what the record is stands in its own schema."""
        return dict(self.reference)


class Document(JsonRenderPlugin):
    """Serves the whole document."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self._records = records

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """As JSON."""
        return wire.to_json(complete(openapi_schema, self._records))


def complete(document: dict[str, Any], records: Records) -> dict[str, Any]:
    """Litestar's document with the schemas of all records."""
    components = {**document.get("components", {}), "schemas": records.schemas.by_name()}
    return {**document, "components": components}


def document(app: Litestar, records: Records) -> dict[str, Any]:
    """The whole document as plain data."""
    return complete(app.openapi_schema.to_schema(), records)


def openapi_config(records: Records) -> OpenAPIConfig:
    """Served at /schema/openapi.json, to anybody: it says nothing about what this server holds."""
    return OpenAPIConfig(
        title="Stargate",
        version=__version__,
        description="Runs AI compute from many providers as one infrastructure, under the agreements that were signed.",
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        render_plugins=[Document(records)],
        openapi_router=Router(
            path="/schema", route_handlers=[], opt={"action": ANYBODY}, include_in_schema=False
        ),
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="`sg_live_…`, made by an operator."
                )
            }
        ),
        security=[{"key": []}],
    )


def _operation_id(handler: Any, method: Method, path: list[Any]) -> str:
    return str(handler.fn.__name__)
