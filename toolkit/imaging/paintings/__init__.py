"""Two paintings in the public domain, as sample styles, and where they come from.

`python -m toolkit.imaging.paintings.build FOLDER` makes the files beside this one from larger reproductions.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Painting:
    """A painting with its painter's years, its museum, and the hashes of the reproduction and of the file here."""

    title: str
    painter: str
    year: int
    museum: str
    source_sha256: str
    sha256: str

    def __str__(self) -> str:
        """Returns the credit line."""
        return f"{self.title} ({self.year}), by {self.painter}; {self.museum}; public domain."


PAINTINGS = {
    "starry_night": Painting(
        "The Starry Night",
        "Vincent van Gogh (1853-1890)",
        1889,
        "The Museum of Modern Art, New York",
        source_sha256="0592ab0f7b51b3ce72608a95e53880bd93971e5b48f93a0ce8dfd3cbccf3d098",
        sha256="da7971e2a207d9ff89d89086eb6b82c6f63afa19b222043302972a5e65c34fd8",
    ),
    "composition_vii": Painting(
        "Composition VII",
        "Wassily Kandinsky (1866-1944)",
        1913,
        "Tretyakov Gallery, Moscow",
        source_sha256="6abecf8085bb3e67939ebeff79087934b5ab3bf6bde9efc82c68b2410c3cd639",
        sha256="67db3811a4bbd0e4542ced8858537d3abc039f391616fccbc63dbe46877b85f2",
    ),
}
"""The paintings by the names of their files."""


def path(name: str) -> Path:
    """Returns the JPEG file of one of `PAINTINGS`, whose longer side is 512 px."""
    return FOLDER / f"{name}.jpg"
