"""The process of `styleport serve`: its warnings at the start, and its end."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor

from serving.commands.flags import CommandLine
from serving.server.options import ServerOptions
from toolkit.printing import print_json

# Time for threads to end after all requests are answered.
_LAST_SECONDS = 1.0


def _what_is_open(options: ServerOptions) -> str:
    rest = "" if options.rest_api_port is None else f" and REST port {options.rest_api_port}"
    may = "run the models and see their status"
    if options.metrics_path and rest:
        may += " and the metrics"
    if options.allow_reload_config:
        may += ", and load any path of this machine (--allow_reload_config)"
    return f"--host {options.host}: anyone who reaches gRPC port {options.port}{rest} may {may}, unauthenticated"


def run(options: ServerOptions, log_level: str, line: CommandLine) -> None:
    """Runs the server until SIGTERM or SIGINT, after warnings about flags without effect.

    Raises:
        InputError: a port is taken or an option is wrong.
        WorkError: the first configuration was refused, or a model in it cannot be loaded.
    """
    import asyncio
    import signal

    from serving.server import descriptors, logs, memory
    from serving.server.http import callers
    from serving.server.threads import leave
    from toolkit.console import quiet_libraries

    memory.share_arenas()
    with quiet_libraries():
        import tensorflow as tf

        from serving.server.app import Addresses, ModelServer

    logs.set_up(log_level)
    if line.idle:
        logs.event("flags_without_effect", logging.WARNING, flags=line.idle)
    if line.apart:
        message = "TensorFlow Serving takes a value only after an equals sign, and would not see these"
        logs.event("values_apart", logging.WARNING, flags=line.apart, message=message)
    if callers.opened(options.host):
        logs.event("open_to_others", logging.WARNING, message=_what_is_open(options))
    # Both REST and gRPC may have this many.
    descriptors.allow(2 * options.limits.max_connections)
    memory.keep_freed()
    # TensorFlow warns about deprecation at every load through a session.
    tf.get_logger().setLevel("ERROR")

    def say_ready(addresses: Addresses) -> None:
        print_json({"event": "ready", "grpc": addresses.grpc, "rest": addresses.rest}, indent=None)
        sys.stdout.flush()
        logs.event("ready", grpc=addresses.grpc, rest=addresses.rest)

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        looking = ThreadPoolExecutor(4, thread_name_prefix="look")
        loop.set_default_executor(looking)
        await ModelServer(options).run(stop, say_ready)
        looking.shutdown(wait=False)
        leave(_LAST_SECONDS)

    asyncio.run(main())
