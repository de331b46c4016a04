"""A Serve config file: `python -m serving.serve_config > serve.yaml && serve deploy serve.yaml`.

Needs the packages of `.venv-ray`, but not Ray itself.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from serving.catalogue.base import Catalogue, CatalogueError, EngineSpec
from serving.catalogue.defaults import default_catalogue
from serving.catalogue.load import load_catalogue
from serving.engine_settings import KINDS
from serving.serve_deployments import Ingress, ServeConfigError, engine_deployments, serve_config
from serving.vllm_presets import PRESETS

# Of no interest here but for its path: nobody is called.
_ADDRESS = "http://127.0.0.1/v1"
# For the same reason keys need not be set, as on a Ray node, which has none of the gateway's.
_KEY_NAME = re.compile(r"""api_key_env["']?\s*:\s*["']?(\w+)""")
_NO_KEY = "not-needed-here"


def main(arguments: Sequence[str] | None = None) -> None:
    """Raises SystemExit, with a sentence for each problem, when no config can be made."""
    options = _parser().parse_args(arguments)
    try:
        engines = engine_deployments(
            _catalogue(options), otherwise=_engine(options), autoscaling=_given(options, _AUTOSCALING)
        )
        ingress = Ingress(
            host=options.ingress_host, port=options.ingress_port, longest_request_s=options.longest_request_s
        )
        config = serve_config(engines, ingress=ingress, max_replicas_per_node=options.max_replicas_per_node)
    except (CatalogueError, ServeConfigError) as error:
        raise SystemExit(f"serve_config: {error}") from None
    sys.stdout.write(yaml.safe_dump(config, sort_keys=False))


def _parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m serving.serve_config", description="Prints a Ray Serve config file.")
    cli.add_argument("--models-file", type=Path, help="the catalogue; without it that of MODEL_BACKEND=ray")
    cli.add_argument("--served-model-name", help="without a models file: the engine's name for its model")
    cli.add_argument("--engine", choices=KINDS, help="of every upstream, where none has an `engine:` of its own")
    cli.add_argument("--preset", choices=list(PRESETS), help="of engines of kind vllm")
    cli.add_argument("--model", help="their weights: a folder, or a name on the model hub (default: the preset's)")
    cli.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a setting, in YAML; repeatable")
    cli.add_argument("--ingress-host", default="127.0.0.1", help="where every node takes requests (%(default)s)")
    cli.add_argument("--ingress-port", type=int, default=8000, help="likewise (%(default)s)")
    cli.add_argument(
        "--longest-request-s", type=float, default=600.0, help="replicas that end wait so long (%(default)s)"
    )
    cli.add_argument("--max-replicas-per-node", type=int, help="of one engine; without it, as many as fit")
    scaling = cli.add_argument_group("autoscaling", "in place of what the models file says (see its reference)")
    for name in ("min-replicas", "max-replicas", "market-hours-min-replicas"):
        scaling.add_argument(f"--{name}", type=int)
    for name in ("target-ongoing-requests", "upscale-delay-s", "downscale-delay-s", "prewarm-minutes"):
        scaling.add_argument(f"--{name}", type=float)
    for name in ("market-hours", "scale-to-zero"):
        scaling.add_argument(f"--{name}", action=argparse.BooleanOptionalAction)
    for name in ("exchange", "clock-start"):
        scaling.add_argument(f"--{name}")
    return cli


_AUTOSCALING = (
    "min_replicas",
    "max_replicas",
    "market_hours_min_replicas",
    "target_ongoing_requests",
    "upscale_delay_s",
    "downscale_delay_s",
    "prewarm_minutes",
    "market_hours",
    "scale_to_zero",
    "exchange",
    "clock_start",
)


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _catalogue(options: argparse.Namespace) -> Catalogue:
    if options.models_file is not None:
        return load_catalogue(options.models_file, variables=_variables(options.models_file))
    return default_catalogue("ray", base_url=_ADDRESS, model=options.served_model_name)


def _variables(models_file: Path) -> dict[str, str]:
    try:
        keys = _KEY_NAME.findall(models_file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        keys = []  # whoever reads the file next says why it cannot be read
    return {**os.environ, **{name: _NO_KEY for name in keys if not os.environ.get(name)}}


def _engine(options: argparse.Namespace) -> EngineSpec | None:
    if options.engine is None:
        return None
    return EngineSpec(
        kind=options.engine, preset=options.preset, model=options.model, set=dict(map(_assignment, options.set))
    )


def _assignment(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    try:
        if not separator or not name:
            raise ServeConfigError(f"--set {text}: must be FIELD=VALUE")
        return name, yaml.safe_load(value)
    except yaml.YAMLError:
        raise ServeConfigError(f"--set {text}: the value is no YAML") from None


if __name__ == "__main__":
    main()
