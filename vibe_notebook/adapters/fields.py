"""Reading natives, for adapters that other packages ship: fields and values of what may be anything.

``get`` follows a path through attributes or dict keys, ``camel`` takes camelCase and snake_case; the
others return a value of their type, or nothing. None of them raises.
"""

from ._fields import camel, get, ident, integer, items, json_text, number, parsed, plain, text

__all__ = ["camel", "get", "ident", "integer", "items", "json_text", "number", "parsed", "plain", "text"]
