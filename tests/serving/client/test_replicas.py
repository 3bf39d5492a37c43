"""serving.client: Every server that reads a models.config is asked, also where one name stands for all of them."""

import shutil
import socket

import pytest

from serving.client import replicas
from serving.client.replicas import Replicas
from serving.client.transport import ServerError
from serving.versions import labels, models_config
from tests.contract import servers
from toolkit.errors import InputError


@pytest.fixture
def names(monkeypatch):
    """What names resolve to: addresses of either family."""
    found, resolve = {}, socket.getaddrinfo

    def resolved(host, port, family=0, *rest, **options):
        if host not in found:
            return resolve(host, port, family, *rest, **options)
        of_family = [one for one in found[host] if (family == socket.AF_INET6) == (":" in one)]
        if not of_family:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for one in of_family for _ in range(2)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return found


def urls(found):
    return [client.url for client in found]


def test_a_dns_url_stands_for_grpc_on_each_address_of_the_name(names) -> None:
    names["stylizer.test"] = ["10.0.0.2", "10.0.0.1", "fd00::1"]
    assert replicas.addresses("dns:///stylizer.test:9000") == ["grpc://10.0.0.1:9000", "grpc://10.0.0.2:9000"]
    names["stylizer.test"] = ["fd00::1"]
    assert replicas.addresses("dns:///stylizer.test") == ["grpc://[fd00::1]:8500"]
    assert replicas.addresses("http://stylizer.test:8501") == ["http://stylizer.test:8501"]


@pytest.mark.parametrize("url", ["dns:stylizer", "dns://8.8.8.8/stylizer:8500", "dns:///", "dns:///a:b", "dns:///a/b"])
def test_a_dns_url_that_is_none_is_told(url) -> None:
    with pytest.raises(InputError, match=r"is not a URL of|has no path"):
        Replicas([url], "m")


def test_a_name_without_an_address_is_told_before_any_work_and_waited_for_later(names) -> None:
    names["stylizer.test"] = []
    with pytest.raises(InputError, match=r"UNAVAILABLE: the name stylizer\.test has no address; give a name"):
        Replicas(["dns:///stylizer.test:8500"], "m")
    names["stylizer.test"] = ["127.0.0.1"]
    with Replicas(["dns:///stylizer.test:8500"], "m") as found:
        names["stylizer.test"] = []
        with pytest.raises(ServerError, match="UNAVAILABLE"):
            list(found)


def test_a_name_is_looked_up_again_at_each_look(names) -> None:
    names["stylizer.test"] = ["127.0.0.1"]
    with Replicas(["dns:///stylizer.test:8500", "http://127.0.0.1:8501"], "m") as found:
        first = list(found)
        assert urls(first) == ["grpc://127.0.0.1:8500", "http://127.0.0.1:8501"]
        names["stylizer.test"] = ["127.0.0.2", "127.0.0.1"]
        assert urls(found) == ["grpc://127.0.0.1:8500", "grpc://127.0.0.2:8500", "http://127.0.0.1:8501"]
        names["stylizer.test"] = ["127.0.0.2"]
        assert urls(found) == ["grpc://127.0.0.2:8500", "http://127.0.0.1:8501"]


def test_labels_move_on_two_servers_that_poll_at_different_times_and_none_refuses_the_file(
    names, base_path, add_version, caplog
) -> None:
    for version in (2, 3):
        add_version(version)
    file = models_config.ModelsFile(models_config.default_config(base_path), base_path)
    file.write_first(1)
    quick = {"model_config_poll_seconds": 0.05, "load": servers.LABELED}
    with servers.in_thread(file.path, **quick) as one:
        port = int(one.grpc_address.rpartition(":")[2])
        slow = {**quick, "model_config_poll_seconds": 0.7, "host": "127.0.0.2", "port": port}
        names["stylizer.test"] = ["127.0.0.1", "127.0.0.2"]
        with servers.in_thread(file.path, **slow) as other:
            url = [f"dns:///stylizer.test:{port}"]
            with Replicas(url, "half_plus") as found, Replicas(url, "half_plus", "stable") as labeled:
                for version in (2, 3, 1):
                    labels.move(file, "stable", version, found, labeled, 30)
                    for client in (one, other):
                        answer = client.rest({"instances": [2.0]}, choice="/labels/stable")
                        assert answer.json == {"predictions": [version + 2.0]}
            other.wait({1: "AVAILABLE", 2: "END", 3: "END"})
    assert [record.fields for record in caplog.records if record.message == "model_config_refused"] == []


def test_a_server_that_was_not_named_refuses_the_file_and_is_helped_by_a_rollback(
    base_path, add_version, caplog, tmp_path
) -> None:
    add_version(2)
    file = models_config.ModelsFile(models_config.default_config(base_path), base_path)
    file.write_first(1)
    (tmp_path / "late").mkdir()
    seen_late = tmp_path / "late" / "models.config"
    shutil.copy(file.path, seen_late)
    options = {"model_config_poll_seconds": 0.05, "load": servers.LABELED}
    with servers.in_thread(file.path, **options) as named, servers.in_thread(seen_late, **options) as other:

        def move(act, *arguments):
            with (
                Replicas([named.rest_url], "half_plus") as found,
                Replicas([named.rest_url], "half_plus", "stable") as labeled,
            ):
                act(file, "stable", *arguments, found, labeled, 30)
            shutil.copy(file.path, tmp_path / "late" / "new")
            (tmp_path / "late" / "new").rename(seen_late)

        move(labels.move, 2)
        with pytest.raises(AssertionError):
            other.wait({2: "AVAILABLE"}, seconds=0.5)
        assert {record.message for record in caplog.records} >= {"model_config_refused"}
        assert other.rest({"instances": [2.0]}, choice="/labels/stable").json == {"predictions": [3.0]}
        move(labels.rollback)
        assert other.rest({"instances": [2.0]}, choice="/labels/stable").json == {"predictions": [3.0]}
