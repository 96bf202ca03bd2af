"""What is shown of figures that are given: as text, Markdown and a page."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from ecglens.evaluation import Score
from ecglens.reports import render_html
from ecglens.reproduction import Reproduction
from ecglens.reproduction.figures import Figures, Row
from ecglens.reproduction.markdown import make_markdown
from ecglens.reproduction.page import make_page
from ecglens.reproduction.results import LayerFigures
from ecglens.reproduction.words import CONTROLS
from tests.reports.parsing import check_self_contained, parse


def figures(accuracy: float, classes: tuple[str, ...] = ("AF", "N")) -> Figures:
    score = Score(accuracy, accuracy - 0.1, accuracy + 0.01)
    return Figures(
        classes, 200, 30, score, score, dict.fromkeys(classes, score), [[90, 10], [20, 80]]
    )


def both(key: str, pooled: float, subject: float) -> list[Row]:
    return [
        Row(f"{key}/pooled", "pooled (leaks)", figures(pooled)),
        Row(f"{key}/subject", "subject-wise", figures(subject)),
    ]


def layer(name: str, pooled: float, subject: float) -> LayerFigures:
    return LayerFigures(name, 64, 64, tuple(both(name, pooled, subject)))


def make() -> Reproduction:
    left_out = figures(0.5)
    undefined = {"AF": Score(math.nan), "N": Score(0.5)}
    controls = {
        "band": both("band", 0.83, 0.61),
        "recorder": [Row("recorder/as-it-is", "as in the experiment", figures(0.93))],
        "within": [Row("within", "subject-wise", None, "no database has N and another class")],
        "left-out": [
            Row("left-out/afdb", "afdb", left_out),
            Row(
                "left-out/edb",
                "edb",
                Figures(("AF", "N"), 9, 2, Score(0.5), Score(0.5), undefined, [[0, 0], [4, 5]]),
            ),
        ],
        "random": [Row("random", "random weights", None, "an ONNX file brings its own")],
        "shuffled": both("shuffled", 0.26, 0.24),
    }
    return Reproduction(
        layers=(layer("one", 0.90, 0.72), layer("two", 0.95, 0.71), layer("three", 0.94, 0.75)),
        preset_layer="one",
        controls=controls,
        databases=[
            {"database": "afdb", "class": "AF", "windows": 100, "controls": 0, "subjects": 20}
        ],
        settings={
            "network": "ecglens-s",
            "weights": "distilled",
            "windows from": "nsrdb, afdb",
            "common band": "1 to 20 Hz",
        },
        plan=[{"database": "afdb", "first_choice_for": ["AF"], "records": ["1"], "minutes": 120.0}],
        notes=["stdb gives <nothing>"],
        random_state=0,
        n_splits=5,
    )


def test_the_best_layer_is_that_of_pooled_folds_as_a_paper_would_choose() -> None:
    found = make()
    assert found.best.layer == "two"
    headings = [heading for heading, _ in found.sections()]
    assert headings == [
        "As the paper: best of 3 layers, two",
        "The preset's layer, one",
        *(CONTROLS[name][0] for name in found.controls),
    ]
    assert found.sweep.best("subject macro-F1").layer == "three"
    assert found.sweep.layers == ("one", "two", "three")


def test_the_text_has_the_papers_figure_first_and_dashes_for_what_there_is_not() -> None:
    lines = make().format_table().splitlines()
    assert lines[0].split() == [
        "windows", "people", "accuracy", "macro-F1", "sens.", "AF", "sens.", "N",
    ]  # fmt: skip
    assert lines[1].split()[-1] == "0.9723"
    assert next(line for line in lines if "edb" in line).split()[-2:] == ["-", "0.500"]
    assert next(line for line in lines if "random weights" in line).split()[2:] == ["-"] * 4


def test_markdown_says_what_was_not_possible() -> None:
    text = make_markdown(make())
    assert "| **the paper**, pooled | near 7,000 | ? | **0.9723** |" in text
    assert "| pooled (leaks) | 200 | 30 | 0.950 (0.850-0.960) |" in text
    assert "- Not possible: random weights: an ONNX file brings its own" in text
    assert "| AF | 90 | 10 |" in text
    assert "- note: stdb gives <nothing>" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| ")}
    assert widths == {8, 6, 4}  # 7 columns of figures, 5 of databases, 3 of a matrix and settings


def test_the_page_stands_alone_and_names_the_leak() -> None:
    found = make()
    html = render_html(make_page(found))
    check_self_contained(html)
    seen = parse(html)
    assert "The paper reports 97.23 % on pooled folds" in seen.words
    assert "the best of 3 layers reaches 95.00 % in them, and 71.00 % on people" in seen.words
    assert "pooled (leaks)" in seen.words
    assert "no database has N and another class" in seen.words
    assert "Stdb gives <nothing>." in seen.words
    for title, word in CONTROLS.values():
        assert word in seen.words or f"{title}: " in seen.words
    assert html == render_html(make_page(make()))


def test_the_settings_are_those_of_the_run() -> None:
    found = make()
    said = {name: here for name, here, _ in found.to_dict()["assumptions"]}
    assert said["network"] == "ecglens-s, weights distilled, frozen"
    assert said["folds"] == "5, over windows"
    assert said["windows"].startswith("200, classes as equal")
    assert said["databases"].startswith("N of nsrdb")
    for shown in (make_markdown(found), render_html(make_page(found))):
        assert said["network"] in shown
        assert "5, over windows" in shown
        assert "DenseNet-161" not in shown
    assert said["patterns"] == "atrial fibrillation, normal"
    settings = {**found.settings, "windows from": "a file", "window, s": 6.5}
    of_file = {name: here for name, here, _ in replace(found, settings=settings).assumptions}
    assert of_file["databases"] == "those of the file"
    assert of_file["windows"] == "200, of a file"
    assert of_file["window"] == "6.5 s, as the file has them"


def test_json_has_all_of_it() -> None:
    said = json.loads(json.dumps(make().to_dict(), allow_nan=False))
    assert said["paper"]["accuracy"] == 0.9723
    assert said["best_layer"] == "two"
    assert said["controls"]["left-out"][1]["figures"]["sensitivity"]["AF"]["value"] is None
    assert LayerFigures.from_dict(said["layers"][0]) == make().layers[0]
