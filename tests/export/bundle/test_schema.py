"""export.bundle: The manifest's JSON schema is made from its types."""

import json

from export.bundle.schema import schema
from tests.conftest import ROOT


def test_the_file_is_what_make_schema_writes():
    written = (ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8")
    assert written == json.dumps(schema(), indent=2) + "\n"
