"""What an explanation finds on windows whose cause is known, and what it must not find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ecglens.databases.synthetic import make_record
from ecglens.errors import RecordError, UnreadableWindowError, UsageError, WindowError
from ecglens.explanation import (
    Explanation,
    explain_episode,
    explain_record,
    explain_window,
)
from ecglens.models import RhythmModel
from ecglens.plots import plot_explanation
from ecglens.prediction import Episode, predict_record
from ecglens.records import Record
from ecglens.windows import Windows
from tests.explanation.planted import (
    AT_S,
    FS,
    LASTS_S,
    LINEAR,
    planted,
    shared_model,
    strangers,
    train,
    training_windows,
)


@pytest.fixture(scope="module")
def windows() -> Windows:
    return training_windows()


@pytest.fixture(scope="module")
def model() -> RhythmModel:
    return shared_model()


@pytest.fixture(scope="module")
def linear(windows: Windows) -> RhythmModel:
    return train(windows, LINEAR)


@pytest.fixture(scope="module")
def window() -> npt.NDArray[np.float32]:
    return planted(strangers(1)[0], "VFIB")


@pytest.fixture(scope="module")
def record() -> Record:
    plan = [("N", 30.0), ("VFIB", 30.0), ("N", 33.0)]
    return make_record(strangers(1)[0], plan, leads=("I", "II"))


@pytest.fixture(scope="module")
def told(model: RhythmModel) -> list[Explanation]:
    """Explanations of a run of VF in four strangers, by occlusion."""
    return [explain_window(model, planted(one, "VFIB"), FS, "VF") for one in strangers(4)]


def inside(found: Explanation, start_s: float = AT_S, end_s: float = AT_S + LASTS_S) -> float:
    """Return the share of what speaks for the class that lies within a stretch."""
    spoke_for = np.maximum(found.heat, 0).sum(axis=0)
    within = (found.times_s >= start_s) & (found.times_s < end_s)
    return float(spoke_for[within].sum() / spoke_for.sum())


class TestPlantedCause:
    @pytest.mark.parametrize("method", ["occlusion", "activation"])
    def test_a_run_of_vf_is_found(
        self, told: list[Explanation], linear: RhythmModel, method: str
    ) -> None:
        if method == "activation":
            told = [explain_window(linear, planted(p, "VFIB"), FS, "VF") for p in strangers(4)]
        for found in told:
            assert found.method == method
            peak_s = found.times_s[found.time_course.argmax()]
            assert AT_S < peak_s < AT_S + LASTS_S
        assert np.mean([inside(found) for found in told]) > 0.7  # by chance 0.3

    @pytest.mark.slow
    @pytest.mark.parametrize(("at_s", "least"), [(0.5, 0.45), (6.0, 0.6)])
    def test_it_is_found_wherever_it_stands(
        self, model: RhythmModel, at_s: float, least: float
    ) -> None:
        shares = [
            inside(
                explain_window(model, planted(patient, "VFIB", at_s=at_s), FS, "VF"),
                at_s,
                at_s + LASTS_S,
            )
            for patient in strangers(3)
        ]
        assert np.mean(shares) > least  # by chance 0.3

    def test_its_frequencies_are_found(self, model: RhythmModel, told: list[Explanation]) -> None:
        """Virtual fibrillation lies at 4 to 6.4 Hz; QRS complexes reach up to 40 Hz."""
        hz = model.recipe.image.row_hz()
        rows = np.maximum(np.mean([found.heat for found in told], axis=0), 0).sum(axis=1)[: len(hz)]
        band = (hz > 2) & (hz < 10)
        assert rows[band].sum() / rows.sum() > 1.2 * band.mean()

    @pytest.mark.slow
    def test_half_a_window_of_af_is_found(self, model: RhythmModel) -> None:
        course = np.mean(
            [
                explain_window(model, planted(p, "AFIB", at_s=5, lasts_s=10), FS, "AF").time_course
                for p in strangers(6)
            ],
            axis=0,
        )
        assert course[64:].sum() > course[:64].sum()

    def test_what_speaks_against_vf_is_the_sinus_rhythm(self, told: list[Explanation]) -> None:
        found = told[0]
        against = np.maximum(-found.heat, 0).sum(axis=0)
        within = (found.times_s > AT_S) & (found.times_s < AT_S + LASTS_S)
        assert against[within].sum() < 0.3 * against.sum()


class TestControls:
    def test_a_constant_model_has_nothing_to_say(
        self, model: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        class Constant:
            def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
                return np.tile([0.2, 0.3, 0.5], (len(features), 1))

        found = explain_window(replace(model, head=Constant(), distance=None), window, FS)
        assert found.label == "VF"
        assert not found.heat.any()
        assert found.evidence() is None
        assert found.sentence() == "nothing in the image speaks for VF"

    @pytest.mark.slow
    def test_labels_that_mean_nothing_find_nothing(self, windows: Windows) -> None:
        """The randomisation test of Adebayo et al. 2018 (arXiv 1810.03292)."""
        rng = np.random.default_rng(0)
        shuffled = train(replace(windows, labels=rng.permutation(windows.labels)))
        shares = [
            inside(explain_window(shuffled, planted(patient, "VFIB"), FS, "VF"))
            for patient in strangers(4)
        ]
        assert np.mean(shares) < 0.5

    def test_the_same_call_gives_the_same_bytes(
        self, model: RhythmModel, window: npt.NDArray[np.float32], told: list[Explanation]
    ) -> None:
        assert explain_window(model, window, FS, "VF").heat.tobytes() == told[0].heat.tobytes()

    def test_gain_and_inversion_change_little(
        self, model: RhythmModel, window: npt.NDArray[np.float32], told: list[Explanation]
    ) -> None:
        first, second = told[0], explain_window(model, -3 * window, FS, "VF")
        assert np.abs(first.heat - second.heat).max() < 1e-3 * np.abs(first.heat).max()


class TestActivation:
    def test_the_heat_sums_to_score_minus_baseline(
        self, linear: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        for label in linear.classes:
            found = explain_window(linear, window, FS, label)
            assert found.baseline is not None
            assert found.heat.sum() == pytest.approx(
                found.score - found.baseline, rel=1e-4, abs=1e-4
            )

    @pytest.mark.parametrize(
        ("head", "pca"),
        [
            ("lda", 16),
            pytest.param("svm-linear", None, marks=pytest.mark.slow),
            pytest.param("logistic", 16, marks=pytest.mark.slow),
        ],
    )
    def test_of_every_linear_head_and_of_two_classes(
        self, windows: Windows, window: npt.NDArray[np.float32], head: str, pca: int | None
    ) -> None:
        two = windows.subset(windows.labels != "AF")
        recipe = replace(LINEAR, layers=("transition2",), head=head, pca=pca, head_params={})
        for trained in (train(two, recipe), train(windows, recipe)):
            found = explain_window(trained, window, FS, "N", method="activation")
            assert found.baseline is not None
            assert found.heat.sum() == pytest.approx(
                found.score - found.baseline, rel=1e-4, abs=1e-4
            )

    def test_of_two_classes_one_is_the_other_with_the_sign_turned(
        self, windows: Windows, window: npt.NDArray[np.float32]
    ) -> None:
        two = train(windows.subset(windows.labels != "AF"), LINEAR)
        heats = [explain_window(two, window, FS, label).heat for label in ("N", "VF")]
        np.testing.assert_allclose(heats[0], -heats[1], atol=1e-12)

    def test_is_refused_where_it_would_not_be_exact(
        self, model: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        with pytest.raises(UsageError, match="no exact activation for head 'svm-memory' on"):
            explain_window(model, window, FS, method="activation")

    def test_occlusion_can_be_asked_for(
        self, linear: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        found = explain_window(linear, window, FS, "VF", method="occlusion")
        assert (found.method, found.baseline) == ("occlusion", None)
        assert inside(found) > 0.5


class TestWindow:
    def test_parts_fit_together(self, model: RhythmModel, window: npt.NDArray[np.float32]) -> None:
        found = explain_window(model, window, FS, start_s=60.0)
        probabilities = model.predict_proba(window[None], FS)[0]
        assert found.label == model.classes[probabilities.argmax()]
        assert found.probability == probabilities.max()
        assert found.heat.shape == found.image.shape == (192, 128)
        assert found.time_course == pytest.approx(found.heat.sum(axis=0))
        assert (found.frequencies_hz[0], found.frequencies_hz[-1]) == (40.0, 0.0)
        assert found.times_s[0] == pytest.approx(60 + 10 / 256)
        assert (found.start_s, found.end_s) == (60.0, 70.0)

    def test_missing_samples_are_bridged(
        self, model: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        holed = window.copy()
        holed[100:110] = np.nan
        found = explain_window(model, holed, FS, "VF")
        assert np.isfinite(found.heat).all()
        assert np.isfinite(found.signal).all()
        assert inside(found) > 0.5

    def test_what_cannot_be_explained_is_refused(
        self, model: RhythmModel, window: npt.NDArray[np.float32]
    ) -> None:
        with pytest.raises(UnreadableWindowError, match="missing"):
            explain_window(model, np.full(1250, np.nan), FS)
        with pytest.raises(UnreadableWindowError, match="flat"):
            explain_window(model, np.zeros(1250), FS)
        with pytest.raises(UsageError, match=r"one window, \(n_samples,\), got shape \(1, 1250\)"):
            explain_window(model, window[None], FS)
        with pytest.raises(WindowError, match="windows last 5 s"):
            explain_window(model, window[:625], FS)
        with pytest.raises(UsageError, match=r"'VT' is no class of this model.*it has AF, N, VF"):
            explain_window(model, window, FS, "VT")
        with pytest.raises(UsageError, match=r"unknown method 'occlude'.*did you mean 'occlusion'"):
            explain_window(model, window, FS, method="occlude")


class TestRecords:
    def test_an_episode_is_explained_by_its_surest_window(
        self, model: RhythmModel, record: Record
    ) -> None:
        timeline = predict_record(model, record, leads="II")
        episode = next(one for one in timeline.episodes if one.label == "VF")
        found = explain_episode(model, record, timeline, episode)
        surest = timeline.probabilities[:, timeline.classes.index("VF")].max()
        assert found.probability == pytest.approx(surest, abs=0.01)
        assert episode.start_s <= found.start_s < found.end_s <= episode.end_s
        assert (found.label, found.lead, found.record_id) == ("VF", "II", record.record_id)

    def test_of_several_judged_leads_one_that_can_be_read_there_is_explained(
        self, model: RhythmModel, record: Record
    ) -> None:
        signal = record.signal.copy()
        signal[0, round(25 * record.fs) : round(65 * record.fs)] = 0.0
        half = replace(record, signal=signal)
        timeline = predict_record(model, half, leads="all")
        episode = next(one for one in timeline.episodes if one.label == "VF")
        assert explain_episode(model, half, timeline, episode).lead == "II"
        with pytest.raises(UnreadableWindowError, match="flat"):
            explain_episode(model, half, timeline, episode, lead="I")

    def test_an_episode_of_no_class_or_no_window_is_refused(
        self, model: RhythmModel, record: Record
    ) -> None:
        timeline = predict_record(model, record, leads="II")
        strange = Episode(0, 10, "inconclusive", None, "II", 1)
        with pytest.raises(UsageError, match="'inconclusive' is no class"):
            explain_episode(model, record, timeline, strange)
        with pytest.raises(UsageError, match=r"no window of record .* from 200 to 210 s"):
            explain_episode(model, record, timeline, Episode(200, 210, "VF", 0.9, "II", 1))

    def test_a_moment_at_the_edge_moves_the_window_inside(
        self, model: RhythmModel, record: Record
    ) -> None:
        assert explain_record(model, record, -4.0).start_s == 0
        assert explain_record(model, record, 91.0, lead="II").end_s == record.duration_s

    def test_a_record_that_lacks_less_than_a_sample_of_the_models_rate_is_explained(
        self, model: RhythmModel, record: Record
    ) -> None:
        n_samples = round(model.length_s * record.fs)
        short = replace(record, signal=record.signal[:, : n_samples - 1], rhythms=())
        assert predict_record(model, short).labels.size == 1
        found = explain_record(model, short, 0.0)
        assert (found.start_s, found.end_s) == (0.0, model.length_s)
        assert np.isfinite(found.signal).all()

    def test_the_unit_is_that_of_the_lead(self, model: RhythmModel, record: Record) -> None:
        row = record.lead_index("II")
        leads = list(record.leads)
        leads[row] = replace(leads[row], unit="adu")
        assert explain_record(model, record, 0.0, lead="II").unit == record.leads[row].unit
        found = explain_record(model, replace(record, leads=tuple(leads)), 0.0, lead="II")
        assert found.unit == "adu"
        assert plot_explanation(found).axes[0].get_ylabel() == "adu"

    def test_short_records_and_unknown_leads_are_refused(
        self, model: RhythmModel, record: Record
    ) -> None:
        short = replace(record, signal=record.signal[:, :1000], rhythms=())
        with pytest.raises(WindowError, match=r"lasts 4\.0 s, shorter than one window of 10 s"):
            explain_record(model, short, 0.0)
        with pytest.raises(RecordError, match="has no lead 'V9'"):
            explain_record(model, record, 0.0, lead="V9")
