"""The web page that paints in the visitor's own browser: networks, LiteRT.js from npm, and the page's files.

It is one more exporter, over those of `export.formats`. `export.sources` and the commands import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Package": "export.web.npm",
    "PageStylizer": "export.web.exporter",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
