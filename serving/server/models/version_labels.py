"""The labels of a server: names for versions, as the configuration assigns them."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from serving.server.logs import event
from serving.server.status import ServingError, invalid


class VersionLabels:
    """The versions of each model's labels.

    Args:
        allow_for_unavailable: new and unchanged labels may refer to a version that is not AVAILABLE.
    """

    def __init__(self, allow_for_unavailable: bool) -> None:
        self._allow_for_unavailable = allow_for_unavailable
        self._versions: dict[str, dict[str, int]] = {}

    def assign(self, models: Iterable[Any], available: Callable[[str], Collection[int]]) -> None:
        """Replaces all labels by those of a configuration, or none if one of them is refused.

        This precedes changes of models, so a version cannot be requested and labeled in one step.
        """
        wanted: dict[str, dict[str, int]] = {}
        for model in models:
            for label, version in model.version_labels.items():
                before = self._versions.get(model.name, {}).get(label, version)
                allowed = self._allow_for_unavailable and before == version
                if not allowed and version not in available(model.name):
                    raise ServingError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to version {version} of model {model.name}, "
                        "which is not currently available for inference",
                    )
                wanted.setdefault(model.name, {})[label] = version
        for name in sorted(wanted.keys() | self._versions.keys()):
            if wanted.get(name) != self._versions.get(name):
                event("labels", model=name, labels=wanted.get(name, {}))
        self._versions = wanted

    def version(self, model: str, label: str) -> int:
        """Returns the version of a model's label; raises INVALID_ARGUMENT for an unknown label."""
        try:
            return self._versions[model][label]
        except KeyError:
            raise invalid(f"Unrecognized servable version label: {label}") from None
