# SPDX-License-Identifier: Apache-2.0
"""``klaviyo-sandbox``: the sandbox from the command line."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import IPv4Address
from pathlib import Path

LOOPBACK = "127.0.0.1"
NEEDED = ("fastapi", "graphql", "uvicorn")


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run ``klaviyo-sandbox``.

    :param arguments: The command line, without the program's name; ``None`` for the process's own.
    :returns: The exit code.
    """
    if missing := [each for each in NEEDED if find_spec(each) is None]:
        print(f"The sandbox needs {', '.join(missing)}: pip install 'airflow-provider-klaviyo[sandbox]'", file=sys.stderr)
        return 2
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="klaviyo-sandbox", description="A local Klaviyo and a local Shopify, for Airflow to play with.")
    commands = parser.add_subparsers(required=True, metavar="{serve,demo}")
    serving = commands.add_parser("serve", help="serve both until interrupted", description="Serve a local Klaviyo and a local Shopify.")
    _add_arguments(serving)
    serving.set_defaults(run=serve)
    showing = commands.add_parser(
        "demo", help="load a shop into Klaviyo, from start to end", description="Load a shop into a local Klaviyo."
    )
    if given[:1] == ["demo"]:
        from airflow_provider_klaviyo.sandbox import demo  # it brings more along than serving needs

        demo.add_arguments(showing)
        showing.set_defaults(run=demo.run)
    chosen = parser.parse_args(given)
    return int(chosen.run(chosen))


def serve(arguments: argparse.Namespace) -> int:
    """Serve until interrupted or terminated, after printing how Airflow connects."""
    from airflow_provider_klaviyo.sandbox.server import SandboxServer  # after the check that the extra is installed

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = SandboxServer(
            arguments.store, limits=arguments.limits, job_seconds=arguments.job_seconds, host=arguments.host, port=arguments.port
        )
    except OSError as error:
        print(f"Cannot listen at {arguments.host}:{arguments.port}: {error.strerror}. Try --port 0.", file=sys.stderr)
        return 1
    with server:
        print(f"Klaviyo and Shopify listen at {server.url}. Give Airflow its connections:\n")
        for name, value in server.connections.items():
            print(f"export {name}='{value}'")
        print("\nStop with Ctrl+C.", flush=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            print("Stopped.")
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        type=_address,
        default=LOOPBACK,
        help="address to listen at (default: %(default)s); 0.0.0.0 serves for a container whose port is published to Airflow's own machine:"
        " the provider refuses plain http to any other",
    )
    parser.add_argument("--port", type=int, default=8765, help="port to listen at, 0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--store", type=_folder, metavar="DIR", help="folder with a shop's customers.jsonl.gz and orders.jsonl.gz (default: made up)"
    )
    parser.add_argument("--limits", choices=("documented", "off"), default="documented", help="rate limits (default: %(default)s)")
    parser.add_argument("--job-seconds", type=_seconds, default=2.0, metavar="N", help="how long a job takes (default: %(default)s)")


def _address(text: str) -> str:
    try:
        address = IPv4Address(LOOPBACK if text == "localhost" else text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no IPv4 address") from None
    if not (address.is_loopback or address.is_unspecified):
        raise argparse.ArgumentTypeError("must be an address of this machine alone, such as 127.0.0.1, or 0.0.0.0")
    return str(address)


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return folder


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
