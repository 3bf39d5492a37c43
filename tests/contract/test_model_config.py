"""serving.server: Model config (config/model_server_config.proto, model_servers/server_core.cc)."""

import pytest

from serving.config.text_files import parse_models
from tests.contract import servers
from toolkit.errors import InputError

pytestmark = pytest.mark.usefixtures("local_only")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("name: 'm' base_path: 'models/m' model_platform: 'tensorflow'", "absolute path or URI"),
        ("name: 'm' base_path: '/models/m' model_platform: 'onnx'", "write 'tensorflow'"),
        ("name: 'm' base_path: '/models/m'", "write 'tensorflow'"),
        ("base_path: '/models/m' model_platform: 'tensorflow'", "has no name"),
        ("name: 'm' color: 'red'", "color"),
    ],
)
def test_base_path_is_absolute_or_a_uri_and_model_platform_is_tensorflow(model, problem) -> None:
    with pytest.raises(InputError, match=problem):
        parse_models(f"model_config_list {{ config {{ {model} }} }}")


def test_a_uri_is_a_base_path(base_path) -> None:
    with servers.in_thread(servers.config(f"file://{base_path}")) as client:
        assert client.states() == {1: "AVAILABLE"}


def test_name_is_unique() -> None:
    model = "config { name: 'm' base_path: '/m' model_platform: 'tensorflow' }"
    with pytest.raises(InputError, match="m multiple times"):
        parse_models(f"model_config_list {{ {model} {model} }}")


def test_the_default_policy_is_latest_1(base_path, add_version) -> None:
    add_version(2)
    with servers.in_thread(servers.config(base_path)) as client:
        assert client.states() == {2: "AVAILABLE"}


def test_policy_latest_n(base_path, add_version) -> None:
    add_version(2)
    add_version(3)
    with servers.in_thread(servers.config(base_path, "latest { num_versions: 2 }")) as client:
        client.wait({3: "AVAILABLE", 2: "AVAILABLE"})
        assert set(client.states()) == {2, 3}


def test_policy_all(base_path, add_version) -> None:
    add_version(2)
    with servers.in_thread(servers.config(base_path, "all {}")) as client:
        client.wait({2: "AVAILABLE", 1: "AVAILABLE"})


def test_policy_specific(base_path, add_version) -> None:
    add_version(2)
    add_version(3)
    with servers.in_thread(servers.config(base_path, "specific { versions: 1 versions: 3 versions: 9 }")) as client:
        client.wait({3: "AVAILABLE", 1: "AVAILABLE"})
        assert set(client.states()) == {1, 3}


def test_to_move_traffic_load_both_move_the_label_then_drop_the_old(base_path, add_version) -> None:
    def answer():
        return client.rest({"instances": [2.0]}, choice="/labels/stable").json["predictions"]

    config = servers.config(base_path, "specific { versions: 1 }", {"stable": 1})
    with servers.in_thread(config, load=servers.LABELED) as client:
        assert answer() == [3.0]
        add_version(2)
        client.reload(servers.config(base_path, "specific { versions: 1 versions: 2 }", {"stable": 1}))
        client.wait({2: "AVAILABLE"})
        assert answer() == [3.0]
        client.reload(servers.config(base_path, "specific { versions: 1 versions: 2 }", {"stable": 2}))
        assert answer() == [4.0]
        client.reload(servers.config(base_path, "specific { versions: 2 }", {"stable": 2}))
        client.wait({1: "END", 2: "AVAILABLE"})
        assert answer() == [4.0]
