"""Read the fields and values of natives of any type; for adapters that other packages ship.

``get`` follows a path through attributes or dict keys. ``camel`` reads a field named in camelCase or
snake_case. Every other function returns a value of its type, or an empty value. No function raises.
"""

from ._fields import camel, get, ident, integer, items, json_text, number, parsed, plain, text

__all__ = ["camel", "get", "ident", "integer", "items", "json_text", "number", "parsed", "plain", "text"]
