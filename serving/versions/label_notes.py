"""Notes on labels in the leading comment of a models.config, which change atomically with it."""

from dataclasses import dataclass, field
from urllib.parse import quote, unquote

NOTE = "# Labels and loaded versions are kept by `styleport label` and `rollback`; comments below are not kept.\n"
_HISTORY, _MOVING = "# history: ", "# moving: "
# Maximum number of rollbacks of a label.
HISTORY_LENGTH = 20


@dataclass(frozen=True)
class Moving:
    """A label on its way to a version; `run` is the run of the command that moves it."""

    version: int
    run: str


@dataclass
class Notes:
    """The notes on a model, by label: previous versions, oldest first, and the last unfinished move."""

    history: dict[str, list[int]] = field(default_factory=dict)
    moving: dict[str, Moving] = field(default_factory=dict)


def read(head: str) -> dict[str, Notes]:
    """Reads the notes, by model."""
    found: dict[str, Notes] = {}
    for line in head.splitlines():
        kind = next((kind for kind in (_HISTORY, _MOVING) if line.startswith(kind)), None)
        if kind is None:
            continue
        model, label, *words = [unquote(word) for word in line.removeprefix(kind).split(" ")] + [""]
        words = [word for word in words if word]
        notes = found.setdefault(model, Notes())
        if kind == _HISTORY and label and all(word.isdecimal() for word in words):
            notes.history[label] = [int(word) for word in words]
        if kind == _MOVING and label and len(words) == 2 and words[0].isdecimal():
            notes.moving[label] = Moving(int(words[0]), words[1])
    return found


def write(head: str, models: dict[str, Notes]) -> str:
    """Updates the notes in a comment, and keeps the rest."""
    kept = [line for line in head.splitlines(keepends=True) if not line.startswith((_HISTORY, _MOVING))]
    lines = []
    for model, notes in sorted(models.items()):
        for label, past in sorted(notes.history.items()):
            if past:
                lines.append(f"{_HISTORY}{quote(model)} {quote(label)} {' '.join(map(str, past[-HISTORY_LENGTH:]))}\n")
        for label, moving in sorted(notes.moving.items()):
            lines.append(f"{_MOVING}{quote(model)} {quote(label)} {moving.version} {quote(moving.run)}\n")
    return "".join(kept or [NOTE]) + "".join(lines)
