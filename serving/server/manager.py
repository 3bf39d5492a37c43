"""Keeps the versions loaded that the configuration asks for, and finds the one that a request means."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.config_files import check_models
from serving.server.loader import Servable, warm_up
from serving.server.logs import event
from serving.server.metrics import Metrics
from serving.server.options import Limits, LoadOptions
from serving.server.status import ServingError, from_exception, invalid, one_line
from serving.server.version import AVAILABLE, END, LOADING, START, UNLOADING, Model, Version
from serving.server.version_policy import aspired, versions_on_disk


class ModelManager:
    """All models; everything but loading itself happens in the event loop's thread.

    Args:
        options: how models are found and loaded.
        limits: that warmup requests keep like any other.
        metrics: where loads are counted.
    """

    def __init__(self, options: LoadOptions, limits: Limits, metrics: Metrics) -> None:
        self._options, self._limits, self._metrics = options, limits, metrics
        self._models: dict[str, Model] = {}
        self._retired: dict[str, Model] = {}
        self._loaders = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
        self._reloading = asyncio.Lock()

    async def configure(self, config: Any) -> None:
        """Replaces the configuration: models left out are unloaded, labels are moved once versions are there.

        Args:
            config: a tensorflow.serving.ModelServerConfig with a list of models.

        Raises:
            ServingError: INVALID_ARGUMENT, the configuration is refused and nothing changed; FAILED_PRECONDITION,
                a label names a version that is not AVAILABLE: labels stay as they were.
        """
        if problem := check_models(config):
            raise invalid(problem)
        async with self._reloading:
            wanted = {model.name: model for model in config.model_config_list.config}
            for name in [name for name in self._models if name not in wanted]:
                model = self._models.pop(name)
                self._retired[name] = model
                model.wanted = {}
                self._reconcile(model)
            for name, model_config in wanted.items():
                model = self._models.setdefault(name, Model(model_config))
                model.config = model_config
            await self.poll()
            await self._settled(list(wanted))
            self._assign_labels(wanted)

    def _assign_labels(self, wanted: dict[str, Any]) -> None:
        for name, config in wanted.items():
            model = self._models[name]
            for label, number in config.version_labels.items():
                new = label not in model.labels
                if number in model.available() or (new and self._options.allow_labels_for_unavailable):
                    continue
                if model.labels.get(label) == number:
                    continue
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Request to assign label {label} to version {number} of model {name}, "
                    "which is not currently available for inference",
                )
        for name, config in wanted.items():
            labels = dict(config.version_labels)
            if labels != self._models[name].labels:
                event("labels", model=name, labels=labels)
            self._models[name].labels = labels

    async def _settled(self, names: list[str]) -> None:
        """Waits until each model has loaded what it was asked for, or failed once at it."""

        def unsettled() -> bool:
            versions = [version for name in names for version in self._models[name].versions.values()]
            return any(version.state in (START, LOADING) and not version.attempts for version in versions)

        while unsettled():
            await asyncio.sleep(0.02)
        failed = [
            f"{{name: {name} version: {number}}} due to error: {version.last_error}"
            for name in names
            for number, version in self._models[name].versions.items()
            if number in self._models[name].wanted and version.attempts and version.state != AVAILABLE
        ]
        if failed:
            text = ", ".join(failed)
            raise ServingError("UNKNOWN", f"{len(failed)} servable(s) did not become available: {{{text}}}")

    async def poll(self) -> None:
        """Looks at every base path once, and starts the loads and unloads that follow from it."""
        for name, model in list(self._models.items()):
            base_path, policy = model.config.base_path, model.config.model_version_policy
            try:
                found = await asyncio.to_thread(versions_on_disk, base_path)
            except OSError as error:
                event("base_path_unreadable", logging.WARNING, model=name, path=base_path, error=error.strerror)
                continue
            # Another configuration may have come meanwhile.
            if self._models.get(name) is model:
                model.wanted = aspired(found, policy)
                self._reconcile(model)

    def _reconcile(self, model: Model) -> None:
        wanted = model.wanted
        for number, path in wanted.items():
            version = model.versions.get(number)
            # A version that failed is not tried again; one that was unloaded may come back.
            if version is None or (version.state == END and version.error is None):
                model.versions[number] = version = Version(model.config.name, number, path)
                version.task = asyncio.create_task(self._load(model, version))
        serving = [number for number in wanted if model.versions[number].state == AVAILABLE]
        if serving or not wanted:  # an old version answers until a new one does
            self._unload(model, [number for number in model.versions if number not in wanted])

    async def _load(self, model: Model, version: Version) -> None:
        version.move(LOADING)
        while True:
            try:
                started = time.perf_counter()
                servable = await asyncio.get_running_loop().run_in_executor(self._loaders, self._load_now, version)
            except Exception as failure:
                error = from_exception(failure)
                event(
                    "load_failed", logging.WARNING, model=version.model, version=version.number, error=one_line(error)
                )
                self._metrics.load(str(version.path), "fail", time.perf_counter() - started)
                version.attempts, version.last_error = version.attempts + 1, error.message
                if version.attempts > self._options.max_retries:
                    version.move(END, error)
                    break
                await asyncio.sleep(self._options.retry_seconds)
            else:
                self._metrics.load(str(version.path), "success", time.perf_counter() - started)
                version.servable = servable
                version.move(AVAILABLE)
                break
        self._reconcile(model)

    def _load_now(self, version: Version) -> Servable:
        servable = Servable(version.path, self._options)
        try:
            if self._options.enable_warmup:
                started = time.perf_counter()
                if count := warm_up(servable, version.path, self._limits, self._options.warmup_iterations):
                    self._metrics.warmup(str(version.path), time.perf_counter() - started)
                    event("warmed_up", model=version.model, version=version.number, records=count)
        except BaseException:
            servable.close()
            raise
        return servable

    def _unload(self, model: Model, numbers: list[int]) -> None:
        for number in numbers:
            version = model.versions[number]
            if version.state in (START, LOADING):
                if version.task:
                    version.task.cancel()
                version.move(END)
            elif version.state == AVAILABLE:
                version.move(UNLOADING)
                version.task = asyncio.create_task(self._drain(version))

    async def _drain(self, version: Version) -> None:
        await version.idle()
        servable, version.servable = version.servable, None
        if servable:
            await asyncio.to_thread(servable.close)
        version.move(END)

    async def keep_polling(self) -> None:
        """Looks at the base paths again and again, until cancelled."""
        while self._options.poll_seconds:
            await asyncio.sleep(self._options.poll_seconds)
            try:
                await self.poll()
            except Exception as error:
                event("poll_failed", logging.ERROR, exc_info=error)

    def find(self, spec: Any) -> Version:
        """Finds the version that a request means.

        Args:
            spec: a tensorflow.serving.ModelSpec: by version, by label, or the latest.

        Returns:
            A version that is AVAILABLE.

        Raises:
            ServingError: there is none, or no such label.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        model = self._models.get(spec.name)
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            if model is None or spec.version_label not in model.labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            number = model.labels[spec.version_label]
        elif choice == "version":
            number = spec.version.value
        else:
            numbers = model.available() if model else []
            if not numbers:
                raise ServingError("NOT_FOUND", f"Servable not found for request: Latest({spec.name})")
            number = numbers[-1]
        if model is None or number not in model.available():
            raise ServingError("NOT_FOUND", f"Servable not found for request: Specific({spec.name}, {number})")
        return model.versions[number]

    def status(self, spec: Any) -> list[Version]:
        """Lists the versions of a model, newest first; those that were unloaded stay in the list.

        Args:
            spec: a tensorflow.serving.ModelSpec; its label is ignored, as TensorFlow Serving does.

        Returns:
            One version when the spec names one, otherwise all.

        Raises:
            ServingError: NOT_FOUND.
        """
        versions: dict[int, Version] = {}
        for models in (self._retired, self._models):
            if spec.name in models:
                versions.update(models[spec.name].versions)
        if not versions:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
        if spec.WhichOneof("version_choice") == "version":
            if spec.version.value not in versions:
                raise ServingError("NOT_FOUND", f"Could not find version {spec.version.value} of model {spec.name}")
            return [versions[spec.version.value]]
        return [versions[number] for number in sorted(versions, reverse=True)]

    async def close(self, seconds: float) -> None:
        """Unloads everything.

        Args:
            seconds: that requests in flight have to end; what runs longer is stopped.
        """
        models = [*self._models.values(), *self._retired.values()]
        for model in models:
            model.wanted = {}
            self._reconcile(model)
        versions = [version for model in models for version in model.versions.values()]
        if tasks := [version.task for version in versions if version.task]:
            await asyncio.wait(tasks, timeout=seconds)
        for version in versions:
            if version.servable:
                await asyncio.to_thread(version.servable.close)
        self._loaders.shutdown(wait=False, cancel_futures=True)
