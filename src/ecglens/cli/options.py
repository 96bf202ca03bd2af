"""Options that several verbs share, in groups, and the TOML file that may set them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import tomllib
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ecglens.errors import UsageError, suggest
from ecglens.guarded import parse_toml, read_text

_GROUP = "Windows"
_NETWORK = "Image and network"
_DECISIONS = "Decisions"
_RUN = "Run"
_MAX_CONFIG_BYTES = 1 << 20


def _config(context: typer.Context, value: Path | None) -> Path | None:
    if value is not None:
        context.default_map = _read_config(value, context)
    return value


@dataclass(frozen=True)
class RunOptions:
    """Options of every verb."""

    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=_RUN)
    ] = False
    random_state: Annotated[
        int,
        # NumPy's generators take no more.
        typer.Option(min=0, max=2**32 - 1, help="Seed of all randomness.", rich_help_panel=_RUN),
    ] = 0
    config: Annotated[
        Path | None,
        typer.Option(
            is_eager=True,
            callback=_config,
            help="TOML file: top-level keys are options of this verb, [VERB] tables of others.",
            rich_help_panel=_RUN,
        ),
    ] = None


@dataclass(frozen=True)
class WindowOptions:
    """How records are cut into labelled windows."""

    label_map: Annotated[
        str,
        typer.Option(
            "--map",
            help="Rhythms to classes: rhythm4, af, shockable, or a TOML file.",
            rich_help_panel=_GROUP,
        ),
    ] = "rhythm4"
    length_s: Annotated[
        float, typer.Option(help="Window length in seconds.", rich_help_panel=_GROUP)
    ] = 10.0
    hop_s: Annotated[
        float | None,
        typer.Option(
            help="Seconds between window starts (default: the length).", rich_help_panel=_GROUP
        ),
    ] = None
    purity: Annotated[
        float,
        typer.Option(help="Share of a window that must carry its class.", rich_help_panel=_GROUP),
    ] = 1.0
    fs_out: Annotated[
        float,
        typer.Option(help="Common sampling rate of the windows, Hz.", rich_help_panel=_GROUP),
    ] = 125.0
    fs: Annotated[
        float | None,
        typer.Option(help="Sampling rate of files that do not say it, Hz.", rich_help_panel=_GROUP),
    ] = None
    leads: Annotated[
        str,
        typer.Option(
            help="first, best, all, or names by preference: II,V5.", rich_help_panel=_GROUP
        ),
    ] = "first"
    subjects: Annotated[
        Path | None,
        typer.Option(
            help="CSV of record,subject (default: each record is one person, but for those "
            "known of public databases).",
            rich_help_panel=_GROUP,
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Record to leave out with all records of its subject; repeatable.",
            rich_help_panel=_GROUP,
        ),
    ] = None
    per_class: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many windows a class, spread over subjects.",
            rich_help_panel=_GROUP,
        ),
    ] = None


@dataclass(frozen=True)
class EngineOptions:
    """What runs the network."""

    engine: Annotated[str, typer.Option(help="openvino or torch.", rich_help_panel=_NETWORK)] = (
        "openvino"
    )
    device: Annotated[
        str, typer.Option(help="cpu, or cuda with torch.", rich_help_panel=_NETWORK)
    ] = "cpu"
    precision: Annotated[
        str,
        typer.Option(
            help="auto (bf16 where the processor has it), bf16 or fp32.", rich_help_panel=_NETWORK
        ),
    ] = "auto"


@dataclass(frozen=True)
class NetworkOptions:
    """Which images, network and layers."""

    recipe: Annotated[
        str, typer.Option(help="Settings to start from.", rich_help_panel=_NETWORK)
    ] = "default"
    backbone: Annotated[
        str | None,
        typer.Option(
            help="ecglens-s, a timm network or an .onnx file (default: the recipe's).",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    weights: Annotated[
        str,
        typer.Option(
            help="Of a timm network: imagenet (download), random, or a .safetensors file.",
            rich_help_panel=_NETWORK,
        ),
    ] = "imagenet"
    layers: Annotated[
        str | None,
        typer.Option(help="Layers, separated by commas.", rich_help_panel=_NETWORK),
    ] = None
    pooling: Annotated[
        str | None,
        typer.Option(
            help="Poolings, separated by commas: mean, max, std, meanstd, timestd, bands4, "
            "bandstd4, time4.",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of computed features (default: the platform's cache).",
            rich_help_panel=_NETWORK,
        ),
    ] = None


@dataclass(frozen=True)
class HeadOptions:
    """Which classifier stands on the features."""

    head: Annotated[
        str | None,
        typer.Option(
            help="svm-memory, svm-rbf, svm-linear, logistic, knn or lda.", rich_help_panel=_NETWORK
        ),
    ] = None
    pca: Annotated[
        int | None,
        typer.Option(
            min=0, help="Principal components kept; 0 for none.", rich_help_panel=_NETWORK
        ),
    ] = None


@dataclass(frozen=True)
class DecisionOptions:
    """When a window is claimed for a class."""

    alpha: Annotated[
        float,
        typer.Option(
            help="Share of each class's windows that may lose their class to 'inconclusive' or "
            "another, over 0 and up to 0.5.",
            rich_help_panel=_DECISIONS,
        ),
    ] = 0.2
    abstain: Annotated[
        bool,
        typer.Option(
            help="Call windows inconclusive that no class or several fit.",
            rich_help_panel=_DECISIONS,
        ),
    ] = True
    smooth: Annotated[
        bool,
        typer.Option(help="Read the windows of a record together.", rich_help_panel=_DECISIONS),
    ] = True


@dataclass(frozen=True)
class FoldOptions:
    """How the evaluation is done."""

    folds: Annotated[int, typer.Option(min=2, help="Folds.", rich_help_panel=_RUN)] = 10
    bootstrap: Annotated[
        int,
        typer.Option(min=0, help="Bootstrap draws over subjects.", rich_help_panel=_RUN),
    ] = 1000


Sources = Annotated[
    list[Path],
    typer.Argument(
        help="Annotated records, folders of them, or one file of windows (.npz of this program).",
        show_default=False,
    ),
]

MoreSources = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Annotated records, folders of them, or one file of windows (.npz of this program).",
        show_default=False,
    ),
]

Databases = Annotated[
    str | None,
    typer.Option(
        help="Databases that have been fetched, separated by commas.", rich_help_panel=_GROUP
    ),
]

DataFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the databases.",
        show_default="ECGLENS_DATA, or the platform's cache",
        rich_help_panel=_RUN,
    ),
]

DEFAULT_MODEL = Path("rhythm4")
"""Judges where no model is named; it comes with the package."""

Model = Annotated[
    Path,
    typer.Option(
        help="Model file of 'ecglens train', or a model that comes with ecglens: rhythm4 or "
        "rhythm4-fast."
    ),
]

Mirror = Annotated[
    str | None,
    typer.Option(
        help="Address with the databases as https://physionet.org/files/ has them.",
        show_default="the database's own",
        rich_help_panel=_RUN,
    ),
]


def flatten(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses of options: each of their fields becomes an option."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)
    }
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _fields(groups[parameter.name])
        else:
            annotation = hints[parameter.name]
            parameters.append(
                parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
            )

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        grouped = {
            name: group(**{f.name: values.pop(f.name) for f in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        command(**values, **grouped)

    flat.__annotations__ = {p.name: p.annotation for p in parameters}
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _fields(group: Any) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name]
        )
        for f in dataclasses.fields(group)
    ]


def _read_config(path: Path, context: typer.Context) -> dict[str, Any]:
    """Return the values for the options of the verb that runs from a TOML file.

    Raises:
        UsageError: the file cannot be read or has a key that is no option.
    """
    try:
        table = parse_toml(read_text(path, _MAX_CONFIG_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read config {path}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"config {path} is not TOML: {error}") from error
    values = _values(table, context, path)
    return dict(_option(key, value, context, path) for key, value in values.items())


def _values(table: dict[str, Any], context: typer.Context, path: Path) -> dict[str, Any]:
    """Return what a file says of the verb that runs: for all verbs, for those of its group, for it.

    Raises:
        UsageError: a table is of no verb.
    """
    values: dict[str, Any] = {}
    own, group, place = table, context.find_root().command, ""
    for word in _verb(context):
        verbs = getattr(group, "commands", {})
        for key, value in own.items():
            if isinstance(value, dict) and key not in verbs:
                raise UsageError(f"config {path}: [{place}{key}] is no verb{suggest(key, verbs)}")
        # A key may be named like a verb: `layers` is both.
        values.update({key: value for key, value in own.items() if not isinstance(value, dict)})
        below = own.get(word)
        own = below if isinstance(below, dict) else {}
        group, place = verbs[word], f"{place}{word}."
    return values | own


def _verb(context: typer.Context) -> list[str]:
    """Return the words of the verb that runs: one, or two where it has verbs of its own."""
    words: list[str] = []
    here: Any = context
    while here.parent is not None:
        words.insert(0, str(here.info_name))
        here = here.parent
    return words


def _option(key: str, value: Any, context: typer.Context, path: Path) -> tuple[str, Any]:
    """Return the parameter that a key names, by its long option or its Python name, and its value.

    Values are text, as on the command line: what a number means is for the option to say. One
    word will do for an option that may be repeated, and a list of texts for one that takes commas.
    """
    command, verb = context.command, " ".join(_verb(context))
    known: dict[str, Any] = {
        word.lstrip("-").replace("-", "_"): parameter
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name not in ("config", "help")
        for word in (parameter.opts[0], f"--{parameter.name}")
    }
    word = key.replace("-", "_")
    if word not in known:
        raise UsageError(
            f"config {path}: {key!r} is no option of '{verb}'{suggest(word, known)}; "
            f"see 'ecglens {verb} --help'"
        )
    option = known[word]
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        return str(option.name), [str(one) for one in values]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return str(option.name), ",".join(value)
    flag = option.is_flag and isinstance(value, bool)
    return str(option.name), value if flag else str(value)
