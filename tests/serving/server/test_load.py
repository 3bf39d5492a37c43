"""serving.server: Versions published and dropped under load: no request fails, no answer is wrong."""

import http.client
import json
import shutil
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.contract import servers

pytestmark = pytest.mark.slow

REQUESTS = 2000
CLIENTS = 4


class Load:
    """Clients that ask until all requests are answered, and remember what was wrong."""

    def __init__(self, process: servers.ServerProcess) -> None:
        self.process = process
        self.dropped: set[int] = set()
        self.published = {1}
        self.wrong: list[str] = []
        self.versions: dict[int, int] = {}
        self.done = 0
        self.finish = threading.Event()
        self._lock = threading.Lock()

    def next(self) -> int | None:
        """The number of the next request; the load goes on until both all are sent and the publisher is through."""
        with self._lock:
            if self.done >= REQUESTS and self.finish.is_set():
                return None
            self.done += 1
            return self.done

    def note(self, x: float, y: float, version: int, dropped: set[int]) -> None:
        with self._lock:
            self.versions[version] = self.versions.get(version, 0) + 1
            if y != x / 2 + 1 + version:
                self.wrong.append(f"version {version} made {y} of {x}")
            if version in dropped or version not in self.published:
                self.wrong.append(f"version {version} answered, {self.published} are published, {dropped} dropped")

    def over_grpc(self) -> None:
        client = servers.Client(self.process.ready["grpc"], self.process.ready["rest"])
        while (number := self.next()) is not None:
            dropped = set(self.dropped)
            try:
                answer = client.prediction.Predict(client.request(x=[float(number)]), timeout=60)
            except Exception as error:
                self.wrong.append(repr(error))
                continue
            self.note(number, answer.outputs["y"].float_val[0], answer.model_spec.version.value, dropped)
        client.close()

    def over_rest(self) -> None:
        url = urlsplit(self.process.ready["rest"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        while (number := self.next()) is not None:
            dropped = set(self.dropped)
            connection.request("POST", "/v1/models/half_plus:predict", json.dumps({"instances": [number]}))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                self.wrong.append(body.decode())
                continue
            (y,) = json.loads(body)["predictions"]
            self.note(number, y, round(y - number / 2 - 1), dropped)
        connection.close()


@pytest.mark.parametrize("batching", [False, True], ids=["direct", "batched"])
def test_no_request_of_2000_fails_while_versions_come_and_go(base_path, add_version, tmp_path, batching) -> None:
    flags = ["--model_name", "half_plus", "--model_base_path", str(base_path), "--log_level", "warning"]
    flags += ["--file_system_poll_wait_seconds=1", *(["--enable_batching"] if batching else [])]
    process = servers.ServerProcess(tmp_path / "log", *flags)
    load = Load(process)
    threads = [threading.Thread(target=work) for work in [load.over_grpc, load.over_rest] * (CLIENTS // 2)]
    for thread in threads:
        thread.start()
    try:
        for old, new in ((1, 2), (2, 3)):
            load.published.add(new)
            add_version(new)
            process.client.wait({old: "END", new: "AVAILABLE"})
            load.dropped.add(old)
            shutil.rmtree(base_path / str(old))
    finally:
        load.finish.set()
        for thread in threads:
            thread.join(timeout=120)
    assert load.wrong == [], f"{len(load.wrong)} of {load.done} requests"
    assert load.done >= REQUESTS
    assert set(load.versions) == {1, 2, 3}, load.versions
    assert np.sum(list(load.versions.values())) == load.done
    assert process.stop() == 0
