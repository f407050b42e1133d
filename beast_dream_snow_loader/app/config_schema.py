"""The JSON Schema of a file of settings, for editors that complete and check TOML (R7.5)."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from beast_dream_snow_loader.app.config import Settings

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class _Writer(GenerateJsonSchema):
    def is_instance_schema(self, schema: Any) -> JsonSchemaValue:  # noqa: ARG002
        """A secret, or a reference to one, is written as text."""
        return {"type": "string", "writeOnly": True}


def settings_schema() -> dict[str, Any]:
    """Of the file of ``--config``, ``base.toml`` and ``<environment>.toml``. No file names its environment."""
    schema = Settings.model_json_schema(schema_generator=_Writer)
    schema["properties"].pop("environment")
    schema["required"] = [name for name in schema.get("required", ()) if name != "environment"]
    schema.pop("description", None)
    return {"$schema": _DRAFT, **schema, "title": "snowload settings"}
