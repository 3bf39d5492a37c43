"""A server that polls models.config, simulated: it takes and refuses what TensorFlow Serving does, in its order."""

from serving.client.transport import ServerError, VersionStatus
from serving.versions import labels
from serving.versions.publishing import version_numbers


class PollingServer:
    """Reads models.config at its looks, and refuses all of it where it labels what is not AVAILABLE.

    It runs with --allow_version_labels_for_unavailable_models.

    Args:
        file: the models.config and the model in it.
        slow: how many looks a version is LOADING for.
        broken: versions that fail to load.
        deaf: it never reads the file again.
        every: it reads the file at each look that this divides.

    Attributes:
        refused: how often it refused the file.
        seen: what it had loaded and labeled, at each look.
    """

    def __init__(self, file, slow=0, broken=(), deaf=False, every=1, url="http://simulated:8501"):
        self.file, self.slow, self.broken, self.deaf, self.every, self.url = file, slow, broken, deaf, every, url
        self.looks, self.available, self.labels, self.seen, self.refused, self.count = {}, set(), {}, [], 0, 0
        self.failed = set()
        self.poll()
        self.available |= set(self.looks)
        self.poll()

    def poll(self):
        if self.count % self.every == 0 and not (self.deaf and self.available):
            self._read()
        self.count += 1
        self.looks = {version: looks + 1 for version, looks in self.looks.items()}
        loaded = {version for version, looks in self.looks.items() if looks > self.slow}
        self.failed |= loaded & set(self.broken)
        self.available = loaded - set(self.broken)
        self.seen.append((sorted(self.looks), dict(self.labels)))

    def _read(self):
        model = self.file.read()
        for label, version in model.labels.items():
            if self.labels.get(label, version) != version and version not in self.available:
                self.refused += 1
                return
        self.labels = model.labels
        wanted = model.loaded(version_numbers(self.file.base_path))
        self.failed -= wanted - set(self.looks)
        self.looks = {version: self.looks.get(version, 0) for version in wanted}

    def status(self):
        self.poll()
        states = []
        for version in sorted(self.failed | set(self.looks)):
            if version in self.failed:
                states.append(VersionStatus(version, "END", "INTERNAL", "no such op"))
            else:
                states.append(VersionStatus(version, "AVAILABLE" if version in self.available else "LOADING"))
        return states

    def served(self, label):
        self.poll()
        version = self.labels.get(label)
        if version is None:
            raise ServerError("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}", self.url)
        if version not in self.available:
            raise ServerError("NOT_FOUND", f"Servable not found for request: Specific(stylizer, {version})", self.url)
        return version

    def asking(self, label):
        return Asking(self, label)


class Asking:
    """A client of such a server that asks for a label."""

    def __init__(self, server, label):
        self.server, self.label, self.url = server, label, server.url

    def status(self):
        return self.server.status()

    def served_version(self):
        return self.server.served(self.label)


def policy(file):
    return list(file.read().config.model_version_policy.specific.versions)


def move(file, server, label, version, timeout=2.0):
    return labels.move(file, label, version, [server], [server.asking(label)], timeout)


def rollback(file, server, label="stable", timeout=2.0):
    return labels.rollback(file, label, [server], [server.asking(label)], timeout)
