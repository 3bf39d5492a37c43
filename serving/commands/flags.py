"""TensorFlow Serving's command line: its flags and their syntax.

The flags are those of model_servers/main.cc, the grammar is that of TensorFlow's util/command_line_flags.cc:
`--flag=value`, and for a switch `--flag` or one of true, 1, false and 0.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from toolkit.commands.help_page import HelpfulCommand
from toolkit.errors import InputError

# Key of the command line in a command's context.
COMMAND_LINE = "serving.commands.flags"
SWITCH, INTEGER, NUMBER, TEXT = "switch", "integer", "number", "text"
FLAGS: dict[str, str] = {
    "allow_version_labels_for_unavailable_models": SWITCH,
    "batching_parameters_file": TEXT,
    "enable_batching": SWITCH,
    "enable_grpc_healthcheck_service": SWITCH,
    "enable_model_warmup": SWITCH,
    "enable_per_model_batching_parameters": SWITCH,
    "enable_profiler": SWITCH,
    "enable_serialization_as_tensor_content": SWITCH,
    "enable_signature_method_name_check": SWITCH,
    "file_system_poll_wait_seconds": INTEGER,
    "flush_filesystem_caches": SWITCH,
    "grpc_channel_arguments": TEXT,
    "grpc_max_threads": INTEGER,
    "grpc_socket_path": TEXT,
    "load_retry_interval_micros": INTEGER,
    "max_num_load_retries": INTEGER,
    "mixed_precision": TEXT,
    "model_base_path": TEXT,
    "model_config_file": TEXT,
    "model_config_file_poll_wait_seconds": INTEGER,
    "model_name": TEXT,
    "monitoring_config_file": TEXT,
    "num_load_threads": INTEGER,
    "num_request_iterations_for_warmup": INTEGER,
    "num_tflite_interpreters_per_pool": INTEGER,
    "num_tflite_pools": INTEGER,
    "num_unload_threads": INTEGER,
    "per_process_gpu_memory_fraction": NUMBER,
    "platform_config_file": TEXT,
    "port": INTEGER,
    "prefer_tflite_model": SWITCH,
    "remove_unused_fields_from_bundle_metagraph": SWITCH,
    "rest_api_enable_cors_support": SWITCH,
    "rest_api_num_threads": INTEGER,
    "rest_api_port": INTEGER,
    "rest_api_timeout_in_ms": INTEGER,
    "saved_model_tags": TEXT,
    "skip_initialize_tpu": SWITCH,
    "ssl_config_file": TEXT,
    "tensorflow_inter_op_parallelism": INTEGER,
    "tensorflow_intra_op_parallelism": INTEGER,
    "tensorflow_session_config_file": TEXT,
    "tensorflow_session_parallelism": INTEGER,
    "thread_pool_factory_config_file": TEXT,
    "use_alts_credentials": SWITCH,
    "version": SWITCH,
    "xla_cpu_compilation_enabled": SWITCH,
    "xla_gpu_compilation_enabled": SWITCH,
}
_FORMS = {
    SWITCH: (re.compile("true|false|1|0", re.IGNORECASE), "true or false"),
    INTEGER: (re.compile(r"\s*[+-]?[0-9]+", re.ASCII), "a whole number"),
    NUMBER: (re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE), "a number"),
    TEXT: (re.compile(".*", re.DOTALL), "text"),
}


# All numeric flags in model_servers/main.cc have 32 bits, except this.
_INT64_FLAG = "load_retry_interval_micros"
_MAX_DIGITS = 100


@dataclass
class CommandLine:
    """A command line, read by TensorFlow's grammar: the arguments for this server's parser, and what to warn of.

    `idle` flags have no effect here; TensorFlow Serving does not support values `apart` from their flags.
    """

    arguments: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)


def read(arguments: list[str], options: set[str]) -> CommandLine:
    """Parses a command line by this server's options, and collects what to warn about.

    Raises:
        InputError: TensorFlow Serving would refuse a flag's value, or not find its file.
    """
    line = CommandLine()
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        name = flag.removeprefix("--")
        if FLAGS.get(name.removeprefix("no")) == SWITCH and name not in FLAGS:
            raise InputError(f"{flag}: TensorFlow Serving has no such flag: write --{name.removeprefix('no')}=false")
        if not flag.startswith("--") or name not in FLAGS:
            line.arguments.append(argument)
            continue
        if not equals and FLAGS[name] == SWITCH:
            value = "true"
        elif not equals:
            value = next(left, "")
            line.apart.append(flag)
        form, expected = _FORMS[FLAGS[name]]
        if not form.fullmatch(value):
            raise InputError(f"{flag}={value}: give {expected}, as in {flag}=VALUE")
        bits = 64 if name == _INT64_FLAG else 32
        if FLAGS[name] == INTEGER and (len(value) > _MAX_DIGITS or not -(1 << bits) <= 2 * int(value) < 1 << bits):
            raise InputError(f"{flag}={value[:_MAX_DIGITS]}: give a whole number of {bits} bits")
        if flag not in options:
            if name.endswith("_file") and value and not os.access(value, os.R_OK):
                raise InputError(f"{flag}={value}: cannot be read, and TensorFlow Serving would end; give another file")
            line.idle.append(flag)
        elif FLAGS[name] == SWITCH:
            line.arguments.append(f"{flag}={'true' if value.lower() in ('true', '1') else 'false'}")
        elif value:  # an empty name means no file
            line.arguments.append(f"{flag}={value}")
    return line


class TensorFlowCommand(HelpfulCommand):
    """A command that takes TensorFlow Serving's flags; `context.meta[COMMAND_LINE]` has the warnings."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Typer names options after parameters, but with hyphens, which TensorFlow Serving does not have.
        for parameter in self.params:
            flag = f"--{parameter.name}"
            parameter.opts = [flag if option == flag.replace("_", "-") else option for option in parameter.opts]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments, after they were read by TensorFlow's grammar."""
        line = read(args, {option for parameter in self.params for option in parameter.opts})
        ctx.meta[COMMAND_LINE] = line
        return super().parse_args(ctx, line.arguments)
