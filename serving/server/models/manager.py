"""Loads and unloads versions by the configuration, and finds the version for a request."""

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.config.text_files import check_models
from serving.config.version_policy import aspired, versions_on_disk
from serving.server.logs import event
from serving.server.metrics import Metrics
from serving.server.models.availability import Availability
from serving.server.models.loader import Servable, warm_up
from serving.server.models.version import AVAILABLE, END, LOADING, START, UNLOADING, ServedModel, ServedVersion
from serving.server.models.version_labels import VersionLabels
from serving.server.options import Limits, LoadOptions
from serving.server.status import ServingError, from_exception, invalid
from toolkit.errors import one_line


class ModelManager:
    """All models; everything except loading happens in the event loop's thread."""

    def __init__(self, options: LoadOptions, limits: Limits, metrics: Metrics) -> None:
        self._options, self._limits, self._metrics = options, limits, metrics
        self._models: dict[str, ServedModel] = {}
        self._retired: dict[str, ServedModel] = {}
        self._loaders = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
        self._reloading = asyncio.Lock()
        self._configured = False
        self._labels = VersionLabels(options.allow_labels_for_unavailable)
        self._availability = Availability(self._versions)
        self._changes = 0

    async def configure(self, config: Any) -> None:
        """Replaces the configuration in TensorFlow Serving's order: labels are assigned, then models are changed.

        Removed models are unloaded, and new models are waited for, UNKNOWN if one cannot be loaded. If the
        configuration or a label in it is refused, nothing changes.
        """
        if config.WhichOneof("config") is None:
            raise ServingError(
                "FAILED_PRECONDITION",
                "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to "
                "another.",
            )
        if problem := check_models(config):
            raise invalid(problem)
        async with self._reloading:
            wanted = {model.name: model for model in config.model_config_list.config}
            self._labels.assign(wanted.values(), self._available)
            kind = "model" if self._configured else "servable"
            self._configured = True
            added = [name for name in wanted if name not in self._models]
            self._replace(wanted)
            await self.poll()
            await self._availability.wait(added, kind)

    def _replace(self, wanted: dict[str, Any]) -> None:
        for name in [name for name in self._models if name not in wanted]:
            model = self._models.pop(name)
            self._retired[name] = model
            model.wanted = {}
            self._reconcile(model)
        for name, config in wanted.items():
            self._models.setdefault(name, ServedModel(config)).config = config

    def changes(self) -> int:
        """Returns the number of state changes of versions."""
        return self._changes

    def _changed(self) -> None:
        self._changes += 1
        self._availability.changed()

    def _available(self, name: str) -> list[int]:
        return self._models[name].available() if name in self._models else []

    def _versions(self, name: str) -> list[ServedVersion]:
        return list(self._models[name].versions.values()) if name in self._models else []

    async def poll(self) -> None:
        """Checks every base path once, and starts the resulting loads and unloads.

        As in TensorFlow Serving, an unreadable base path keeps all models unchanged.
        """
        found = {}
        for name, model in list(self._models.items()):
            base_path = model.config.base_path
            try:
                found[name] = model, await asyncio.to_thread(versions_on_disk, base_path)
            except OSError as error:
                event("base_path_unreadable", logging.WARNING, model=name, path=base_path, error=error.strerror)
                return
        for name, (model, versions) in found.items():
            # The configuration may have been replaced meanwhile.
            if self._models.get(name) is model:
                model.wanted = aspired(versions, model.config.model_version_policy)
                model.log_if_empty()
                self._reconcile(model)

    def _reconcile(self, model: ServedModel) -> None:
        wanted = model.wanted
        for number, path in wanted.items():
            version = model.versions.get(number)
            # A failed version is retried only after it was removed and requested again.
            if version is None or (version.state == END and (version.error is None or version.dropped)):
                model.versions[number] = version = ServedVersion(model.config.name, number, path, self._changed)
                version.task = asyncio.create_task(self._load(model, version))
        for number, version in model.versions.items():
            version.dropped = version.state == END and number not in wanted
        serving = [number for number in wanted if model.versions[number].state == AVAILABLE]
        if serving or not wanted:  # an old version answers until a new version is available
            self._unload(model, [number for number in model.versions if number not in wanted])

    async def _load(self, model: ServedModel, version: ServedVersion) -> None:
        version.move(LOADING)
        attempts = 0
        while True:
            try:
                started = time.perf_counter()
                servable = await asyncio.get_running_loop().run_in_executor(self._loaders, self._load_now, version)
            except Exception as failure:
                error = from_exception(failure)
                message = f"{error.code}: {one_line(error)}"
                event("load_failed", logging.WARNING, model=version.model, version=version.number, error=message)
                self._metrics.load(version.name, "fail", time.perf_counter() - started)
                attempts += 1
                if attempts > self._options.max_retries:
                    version.move(END, error)
                    break
                await asyncio.sleep(self._options.retry_seconds)
            else:
                self._metrics.load(version.name, "success", time.perf_counter() - started)
                version.servable = servable
                version.move(AVAILABLE)
                break
        self._reconcile(model)

    def _load_now(self, version: ServedVersion) -> Servable:
        servable = Servable(version.path, self._options)
        try:
            if self._options.enable_warmup:
                started = time.perf_counter()
                if count := warm_up(servable, version.path, self._limits, self._options.warmup_iterations):
                    self._metrics.warmup(version.name, time.perf_counter() - started)
                    event("warmed_up", model=version.model, version=version.number, records=count)
        except BaseException:
            servable.close()
            raise
        return servable

    def _unload(self, model: ServedModel, numbers: list[int]) -> None:
        for number in numbers:
            version = model.versions[number]
            if version.state in (START, LOADING):
                if version.task:
                    version.task.cancel()
                version.move(END)
            elif version.state == AVAILABLE:
                version.move(UNLOADING)
                version.task = asyncio.create_task(self._drain(version))

    async def _drain(self, version: ServedVersion) -> None:
        await version.idle()
        servable, version.servable = version.servable, None
        if servable:
            await asyncio.to_thread(servable.close)
        version.move(END)

    async def keep_polling(self) -> None:
        """Polls the base paths until cancelled."""
        while self._options.poll_seconds:
            await asyncio.sleep(self._options.poll_seconds)
            try:
                await self.poll()
            except Exception as error:
                event("poll_failed", logging.ERROR, exc_info=error)

    def find(self, spec: Any) -> ServedVersion:
        """Finds the AVAILABLE version for a ModelSpec: by version, by label, or the latest."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        model = self._models.get(spec.name)
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            number = self._labels.version(spec.name, spec.version_label)
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

    def status(self, spec: Any) -> list[ServedVersion]:
        """Lists the versions of a model, unloaded ones too, newest first, or the one that a ModelSpec names.

        Its label is ignored, as TensorFlow Serving does.
        """
        versions: dict[int, ServedVersion] = {}
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
        """Unloads everything; requests in flight have `seconds` to end before they are stopped."""
        models = [*self._models.values(), *self._retired.values()]
        for model in models:
            model.wanted = {}
            self._reconcile(model)
        versions = [version for model in models for version in model.versions.values()]
        if tasks := [version.task for version in versions if version.task]:
            await asyncio.wait(tasks, timeout=seconds)
        for version in versions:
            if version.servable:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.to_thread(version.servable.close), seconds)
        self._loaders.shutdown(wait=False, cancel_futures=True)
