"""From virtual patients to a model, its evaluation, and the Holter of someone it never saw."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecglens.backbones import Backbone, load_backbone
from ecglens.backbones.precision import resolve_precision
from ecglens.databases.synthetic import make_holter, make_patients, make_records
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.demo.page import make_page
from ecglens.demo.results import DemoResult, DemoSettings, Span
from ecglens.demo.words import SHIPPED
from ecglens.errors import OutputError
from ecglens.evaluation import Evaluation, evaluate
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import make_folder, write_json
from ecglens.labels import LabelMap, load_label_map
from ecglens.models import RhythmModel, fit_model, load_model, save_model
from ecglens.prediction import predict_record
from ecglens.readers import read_record
from ecglens.recipes import Recipe, find_recipe
from ecglens.records import Record
from ecglens.reports import save_html
from ecglens.steps import Steps, quiet
from ecglens.windows import Windows, make_windows

_MINUTES = 4.0
_FOLDS, _DRAWS = 5, 1000
_HOLTER, _MODEL, _REPORT = "holter", "demo.ecglens", "report.html"
_EPISODES, _SUMMARY = "holter.episodes.csv", "summary.json"
_FILES = (
    *(f"{_HOLTER}.{suffix}" for suffix in ("hea", "dat", "atr")),
    *(_MODEL, _EPISODES, _SUMMARY, _REPORT),
)


def run_demo(
    folder: str | Path, settings: DemoSettings | None = None, *, steps: Steps = quiet
) -> DemoResult:
    """Do the whole job on virtual patients and write all of it, with a report, into a folder.

    The same settings give the same bytes on the same machine. Files take their names when all are
    whole, the report last; others in the folder are left alone.

    Args:
        folder: made where missing.
        settings: how much, which network and which seed.
        steps: told of progress.

    Returns:
        What was found. In the folder are ``report.html``, the model ``demo.ecglens``, the Holter
        as the WFDB record ``holter``, ``holter.episodes.csv`` and ``summary.json``.

    Raises:
        BackboneError: the network cannot be had.
        OutputError: the folder cannot be made or written.
    """
    settings = settings or DemoSettings()
    folder = make_folder(Path(folder))
    _check_places(folder)
    with _staging(folder) as stage:
        result = _work(settings, stage, steps)
        with steps("report"):
            result.timeline.save_episodes_csv(stage / _EPISODES)
            write_json(stage / _SUMMARY, result.to_dict())
            save_html(make_page(result, folder), stage / _REPORT)
        _move(stage, folder)
    return result


def _work(settings: DemoSettings, stage: Path, steps: Steps) -> DemoResult:
    label_map = load_label_map("rhythm4")
    recipe, backbone = _open(settings)
    windows = _make_windows(settings, label_map, steps)
    features = _extract(windows, recipe, backbone, steps)
    recipe = _with_few_components(recipe, features)
    evaluation = _evaluate(windows, features, recipe, settings, steps)
    with steps("training"):
        model = _train(windows, features, recipe, backbone, evaluation)
        save_model(model, stage / _MODEL)
    with steps("Holter") as step:
        record = _make_holter(settings, stage)
        timeline = predict_record(model, record, progress=step)
    with steps(f"Holter by {SHIPPED}") as step:
        shipped = predict_record(load_model(SHIPPED), record, progress=step)
    return DemoResult(
        settings=settings,
        windows=windows,
        evaluation=evaluation,
        model=model,
        record=record,
        truth=_truth(record, label_map),
        timeline=timeline,
        shipped=shipped,
        precision=resolve_precision(model.engine.engine, model.engine.precision),
    )


def _make_windows(settings: DemoSettings, label_map: LabelMap, steps: Steps) -> Windows:
    with steps("virtual patients") as step:
        records = make_records(
            settings.n_patients,
            random_state=settings.random_state,
            minutes=_MINUTES,
            progress=step,
        )
        return make_windows(records, label_map)


def _open(settings: DemoSettings) -> tuple[Recipe, Backbone]:
    recipe = find_recipe("default")
    backbone = load_backbone(
        settings.backbone,
        image_size=(recipe.image.height, recipe.image.width),
        random_state=settings.random_state,
    )
    # An ONNX file may take images of one size alone.
    rows, columns = backbone.image_size
    image = recipe.image.sized(rows, columns)
    return replace(recipe, image=image).fit_to(backbone), backbone


def _extract(
    windows: Windows, recipe: Recipe, backbone: Backbone, steps: Steps
) -> npt.NDArray[np.float32]:
    extractor = Extractor(backbone, recipe.outputs(), recipe.image, EngineSettings())
    with steps("features") as step:
        return concatenate_outputs(extractor.run(windows.X, windows.fs, progress=step))


def _with_few_components(recipe: Recipe, features: npt.NDArray[np.float32]) -> Recipe:
    """Return the recipe with no more components than a fold of few windows can give."""
    n_windows, n_features = features.shape
    return replace(recipe, pca=min(recipe.pca or n_features, n_features, n_windows // 4))


def _evaluate(
    windows: Windows,
    features: npt.NDArray[np.float32],
    recipe: Recipe,
    settings: DemoSettings,
    steps: Steps,
) -> Evaluation:
    with steps("folds") as step:
        return evaluate(
            features,
            windows.labels,
            windows.subjects,
            databases=windows.databases,
            classifier=recipe.classifier(random_state=settings.random_state),
            n_splits=_FOLDS,
            n_bootstrap=_DRAWS,
            random_state=settings.random_state,
            progress=step,
        )


def _train(
    windows: Windows,
    features: npt.NDArray[np.float32],
    recipe: Recipe,
    backbone: Backbone,
    evaluation: Evaluation,
) -> RhythmModel:
    seed = evaluation.random_state
    model = fit_model(windows, features, recipe, backbone, random_state=seed)
    return replace(model, card={**model.card, "evaluation": evaluation.to_dict()})


def _make_holter(settings: DemoSettings, stage: Path) -> Record:
    """Write the Holter of one more patient and return it as anyone will read it."""
    unseen = make_patients(settings.n_patients + 1, random_state=settings.random_state)[-1]
    made = make_holter(unseen, settings.hours, random_state=settings.random_state)
    save_wfdb(replace(made, record_id=_HOLTER), stage)
    return replace(read_record(stage / _HOLTER), database=made.database, subject_id=unseen.subject)


def _truth(record: Record, label_map: LabelMap) -> tuple[Span, ...]:
    """Return the annotated rhythms as classes, neighbours of one class merged."""
    spans: list[Span] = []
    for span in record.rhythms:
        label = label_map.class_of(span.rhythm)
        if label is None:
            continue
        if spans and spans[-1][2] == label and span.start_s - spans[-1][1] < 1e-6:
            spans[-1] = (spans[-1][0], span.end_s, label)
        else:
            spans.append((span.start_s, span.end_s, label))
    return tuple(spans)


def _check_places(folder: Path) -> None:
    for name in _FILES:
        if (folder / name).is_dir():
            raise OutputError(
                f"cannot write {folder / name}: a folder has that name; choose another place"
            )


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a hidden folder in which files are made, and remove it in any case.

    Raises:
        OutputError: nothing can be made in the folder.
    """
    try:
        stage = tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    with stage as name:
        try:
            yield Path(name)
        except OutputError as error:
            # The person knows the folder, not the hidden one.
            raise OutputError(str(error).replace(name, str(folder))) from error


def _move(stage: Path, folder: Path) -> None:
    """Give the finished files their names, the report last."""
    for name in _FILES:
        try:
            (stage / name).replace(folder / name)
        except OSError as error:
            raise _cannot_write(folder / name, error) from error


def _cannot_write(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {path}: {reason}; choose another place")
