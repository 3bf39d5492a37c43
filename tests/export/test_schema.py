"""The manifest's JSON schema is made from its types."""

import json

from export import schema


def test_the_file_is_what_make_schema_writes():
    assert json.loads(schema.FILE.read_text(encoding="utf-8")) == schema.schema()
