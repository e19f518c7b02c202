"""JSON, with orjson if it is installed, else with the standard library."""

try:
    import orjson
except ImportError:
    import json

    NAME = "json"

    def encode(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def decode(text: str) -> object:
        return json.loads(text)

else:
    NAME = "orjson"

    def encode(value: object) -> str:
        return orjson.dumps(value).decode("utf-8")

    def decode(text: str) -> object:
        return orjson.loads(text)
