"""serving.server: The command line: model_servers/main.cc in the grammar of TensorFlow's util/command_line_flags.cc,
and server.cc."""

import json
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme
import typer
import yaml
from tensorflow_serving.apis import prediction_service_pb2_grpc

import serving
from serving.client.grpc_transport import read_tensor
from serving.client.stylizer_client import StylizerClient
from serving.commands.flags import COMMAND_LINE, FLAGS, SWITCH
from serving.config.text_files import parse_ssl
from tests.contract import servers
from toolkit import cli
from toolkit.errors import InputError, WorkError

DEPLOY = Path(serving.__file__).parent / "deploy"
SPELLINGS = {"": "true", "=true": "true", "=True": "true", "=1": "true", "=false": "false", "=FALSE": "false"}
WITHOUT_EFFECT = [
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "grpc_max_threads",
    "mixed_precision",
    "num_load_threads",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_num_threads",
    "skip_initialize_tpu",
    "tensorflow_session_config_file",
    "thread_pool_factory_config_file",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
]


def context(*arguments: str) -> typer.Context:
    """Reads a command line of `styleport serve`, and starts nothing."""
    command = typer.main.get_command(cli.app).get_command(None, "serve")
    return command.make_context("serve", list(arguments))


def parsed(*arguments: str) -> dict:
    return context(*arguments).params


def served_by(name: str) -> list[str]:
    """The arguments of the server in a deployment file."""
    deployment = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    if "services" in deployment:
        return deployment["services"]["serving"]["command"]
    return deployment["spec"]["template"]["spec"]["containers"][0]["args"]


# The grammar (util/command_line_flags.cc)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("", "false"),
        ("--enable_batching", "true"),
        ("--enable_batching=true", "true"),
        ("--enable_batching=false", "false"),
    ],
)
def test_a_switch_is_given_alone_or_as_true_1_false_or_0_in_any_case(argument, value) -> None:
    assert parsed(*argument.split())["enable_batching"] == value


@pytest.mark.parametrize("flag", [flag for flag, kind in FLAGS.items() if kind == SWITCH])
@pytest.mark.parametrize("value", ["=yes", "=2", "=on", "="])
def test_a_switch_takes_no_other_word(flag, value) -> None:
    with pytest.raises(InputError, match="give true or false"):
        parsed(f"--{flag}{value}")


@pytest.mark.parametrize("flag", ["--noenable_model_warmup", "--noenable_batching=true"])
def test_there_is_no_form_that_begins_with_no(flag) -> None:
    with pytest.raises(InputError, match=r"write --enable_\w+=false"):
        parsed(flag)


def test_the_last_of_several_counts() -> None:
    assert parsed("--enable_model_warmup=false", "--enable_model_warmup", "--port=1", "--port=2")["port"] == 2
    assert parsed("--enable_model_warmup", "--enable_model_warmup=false")["enable_model_warmup"] == "false"


@pytest.mark.parametrize("value", ["0.5", "8_500", "1e3", "many", "1 ", "", "\u0661"])
@pytest.mark.parametrize("flag", ["port", "file_system_poll_wait_seconds", "num_load_threads"])
def test_a_whole_number_is_one(flag, value) -> None:
    with pytest.raises(InputError, match="give a whole number"):
        parsed(f"--{flag}={value}")
    assert parsed(f"--{flag}=+7").get(flag, 7) == 7


def test_an_empty_text_leaves_a_flag_unset() -> None:
    assert parsed("--monitoring_config_file=", "--ssl_config_file=")["monitoring_config_file"] is None


def test_a_value_that_stands_apart_is_taken_here_with_a_warning() -> None:
    line = context("--port", "7", "--model_name=m", "--host", "127.0.0.1").meta[COMMAND_LINE]
    assert line.apart == ["--port"]
    assert context("--port", "7").params["port"] == 7


def test_what_is_no_flag_is_refused() -> None:
    for argument in ("--prot=8500", "-port=8500"):
        with pytest.raises(typer.TyperException):
            parsed(argument)


# The flags (main.cc)


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes/deployment.yaml"])
def test_the_arguments_of_the_deployment_files_are_taken_and_none_is_idle(name) -> None:
    arguments = served_by(name)
    line = context(*arguments).meta[COMMAND_LINE]
    assert not line.idle
    assert not line.apart
    given = parsed(*arguments)
    for argument in arguments:
        flag, _, value = argument.removeprefix("--").partition("=")
        assert str(given[flag]) == value


def test_every_flag_is_known_and_those_that_change_nothing_are_told() -> None:
    values = {SWITCH: "true", "integer": "3", "number": "0.5", "text": __file__}
    arguments = [f"--{flag}={values[kind]}" for flag, kind in FLAGS.items()]
    assert context(*arguments).meta[COMMAND_LINE].idle == [f"--{flag}" for flag in WITHOUT_EFFECT]


@pytest.mark.parametrize("flag", [flag for flag in WITHOUT_EFFECT if flag.endswith("_file")])
def test_a_file_that_changes_nothing_must_be_there_all_the_same(flag, tmp_path) -> None:
    """ParseProtoTextFile of model_servers/server.cc ends the real server."""
    with pytest.raises(InputError, match=f"--{flag}=.*: cannot be read"):
        context(f"--{flag}={tmp_path / 'missing'}")


def test_the_server_starts_with_them_and_says_so_in_one_line(base_path, tmp_path) -> None:
    idle = ["--flush_filesystem_caches=false", "--num_load_threads=4", "--enable_profiler"]
    flags = ["--model_name=half_plus", f"--model_base_path={base_path}", "--enable_model_warmup=true"]
    process = servers.ServerProcess(tmp_path / "log", *flags, *idle, f"--grpc_socket_path={tmp_path / 'socket'}")
    try:
        with grpc.insecure_channel(f"unix:{tmp_path / 'socket'}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            assert stub.Predict(process.client.request(x=[2.0]), timeout=30).outputs["y"].float_val == [3.0]
    finally:
        assert process.stop() == 0
    events = [json.loads(line) for line in process.log().splitlines()]
    warned = [event for event in events if event["level"] == "warning"]
    assert [event["event"] for event in warned] == ["flags_without_effect", "values_apart"]
    assert warned[0]["flags"] == [flag.partition("=")[0] for flag in idle]
    assert warned[1]["flags"] == ["--port", "--rest_api_port"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--use_alts_credentials"], "--use_alts_credentials"),
        (["--grpc_channel_arguments=grpc.max_connection_age_ms"], "NAME=VALUE"),
        (
            [f"--tensorflow_{kind}_parallelism=2" for kind in ("session", "intra_op", "inter_op")],
            "--tensorflow_session_parallelism",
        ),
        (["--version"], None),
    ],
)
def test_what_server_cc_refuses_is_refused_and_the_version_is_told(base_path, flags, told) -> None:
    command = [servers.STYLEPORT, "serve", f"--model_base_path={base_path}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if told else 0)
    assert told is None or told in done.stderr
    assert bool(told) != ("TensorFlow: " in done.stdout)


# What they do (server.cc)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def ssl_config(authority, client_verify=False) -> object:
    pair = authority.issue_cert("localhost", "127.0.0.1")
    pems = {
        "server_key": pair.private_key_pem,
        "server_cert": pair.cert_chain_pems[0],
        "custom_ca": authority.cert_pem,
    }
    text = "".join(f"{name}: {json.dumps(pem.bytes().decode())}\n" for name, pem in pems.items())
    return parse_ssl(text + f"client_verify: {str(client_verify).lower()}")


def test_with_an_ssl_config_grpc_speaks_tls_and_rest_does_not(base_path, authority, tmp_path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    with servers.in_thread(servers.config(base_path), ssl=ssl_config(authority)) as server:
        with StylizerClient(
            f"grpcs://{server.grpc_address}", "half_plus", root_certificates=tmp_path / "roots.pem"
        ) as client:
            assert client.served_version() == 1
        assert server.refusal(server.request(x=[2.0]), timeout=5).code() == grpc.StatusCode.UNAVAILABLE
        assert server.rest({"instances": [2.0]}).json == {"predictions": [3.0]}


def test_client_verify_asks_for_a_certificate_of_the_custom_ca(base_path, authority) -> None:
    roots, own = authority.cert_pem.bytes(), authority.issue_cert("client.example")
    key, chain = own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
    with servers.in_thread(servers.config(base_path), ssl=ssl_config(authority, client_verify=True)) as server:
        for credentials, taken in (
            (grpc.ssl_channel_credentials(roots, key, chain), True),
            (grpc.ssl_channel_credentials(roots), False),
        ):
            with grpc.secure_channel(server.grpc_address, credentials) as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                try:
                    stub.Predict(server.request(x=[2.0]), timeout=10)
                except grpc.RpcError as error:
                    assert not taken, error
                else:
                    assert taken


PAIR = "server_key: '-----BEGIN A' server_cert: '-----BEGIN B'"


@pytest.mark.parametrize("text", ["", "server_key: '/key.pem' server_cert: '/cert.pem'", f"{PAIR} client_verify: true"])
def test_an_ssl_config_holds_the_pems_themselves(text) -> None:
    with pytest.raises(InputError, match="is not PEM"):
        parse_ssl(text)


def test_a_key_and_a_certificate_that_cannot_be_used_end_the_start(base_path) -> None:
    broken = parse_ssl("server_key: '-----BEGIN PRIVATE KEY-----' server_cert: '-----BEGIN CERTIFICATE-----'")
    with pytest.raises(InputError, match="ssl_config_file"), servers.in_thread(servers.config(base_path), ssl=broken):
        pass


def test_saved_model_tags_choose_the_graph_that_has_these_and_no_others(base_path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    file = base_path / "1" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved.meta_graphs[0].meta_info_def.tags.append("gpu")
    file.write_bytes(saved.SerializeToString())
    for tags, state in ((("serve",), "END"), (("gpu", "serve"), "AVAILABLE"), (("gpu",), "END")):
        load = servers.LoadOptions(max_retries=0, tags=tags)
        assert state_of(base_path, load) == state, tags


def state_of(base_path, load) -> str:
    try:
        with servers.in_thread(servers.config(base_path), load=load) as server:
            return server.states()[1]
    except WorkError:  # the server does not start
        return "END"


def test_outputs_go_as_raw_content_where_that_is_asked_for(base_path) -> None:
    with servers.in_thread(servers.config(base_path), outputs_as_content=True) as server:
        numbers = server.prediction.Predict(server.request(x=[2.0, 4.0]), timeout=30).outputs["y"]
        strings = server.prediction.Predict(server.request("only_bytes", text=[b"one", b""]), timeout=30)
        assert server.rest({"instances": [2.0]}).json == {"predictions": [3.0]}
    assert not numbers.float_val
    assert np.frombuffer(numbers.tensor_content, np.float32).tolist() == [3.0, 4.0]
    assert read_tensor(strings.outputs["text_bytes"]).tolist() == [b"one", b""]


def test_grpc_channel_arguments_reach_grpc(base_path) -> None:
    arguments = (("grpc.max_metadata_size", 300), ("grpc.absolute_max_metadata_size", 300))
    with servers.in_thread(servers.config(base_path), grpc_arguments=arguments) as server:
        with pytest.raises(grpc.RpcError) as refused:
            server.prediction.Predict(server.request(x=[2.0]), timeout=30, metadata=[("long", "x" * 400)])
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
