import numpy as np
import pytest
from tools.distill import pictures, signals
from tools.distill.shards import KINDS, SHARD, ShardStore, draw_shard, kind_of

from ecglens.images import ImageSettings

SIZE = 32
DRAWERS = (
    pictures.draw_fractal,
    pictures.draw_leaves,
    pictures.draw_gratings,
    pictures.draw_cells,
    pictures.draw_noise,
    pictures.draw_warped,
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("draw", DRAWERS, ids=lambda draw: draw.__name__)
def test_every_kind_of_picture_has_structure_in_three_channels(draw):
    drawn = [draw(rng(seed), SIZE) for seed in range(8)]
    assert all(picture.shape == (3, SIZE, SIZE) for picture in drawn)
    assert all(np.isfinite(picture).all() for picture in drawn)
    spread = [picture.std(axis=(1, 2)).max() for picture in drawn]
    assert np.median(spread) > 0.02


def test_pictures_are_images_in_0_to_1_and_their_seed_decides_them():
    first, again, other = (pictures.draw_picture(rng(seed), SIZE) for seed in (1, 1, 2))
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_has_the_colour_asked_for(slope):
    # Power falls as f ** -slope: regress log power on log frequency over many draws.
    powers = []
    for seed in range(60):
        noise = signals.coloured(rng(seed), slope)
        powers.append(np.abs(np.fft.rfft(noise)) ** 2)
    power = np.mean(powers, axis=0)[2:-1]
    frequency = np.arange(2, 2 + len(power))
    found = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert found == pytest.approx(-slope, abs=0.1)


def test_drawn_windows_differ_and_hold_signal():
    windows = signals.drawn_windows(rng(), 12)
    assert windows.shape == (12, signals.N_SAMPLES)
    assert windows.dtype == np.float32
    assert np.isfinite(windows).all()
    assert (windows.std(axis=1) > 0).all()
    correlation = np.corrcoef(windows) - np.eye(12)
    assert np.abs(correlation).max() < 0.95


def test_virtual_windows_are_of_one_patient_and_the_seed_decides_them():
    windows, again = (signals.virtual_windows(rng(3), 6) for _ in range(2))
    assert windows.shape == (6, signals.N_SAMPLES)
    assert np.array_equal(windows, again)


def test_a_flat_window_is_replaced_by_a_readable_one():
    windows = signals.drawn_windows(rng(), 4)
    windows[1] = 0
    images = signals.draw_spectrograms(rng(), 32, windows)
    assert images.shape == (4, 3, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    assert np.array_equal(images[3], images[0])  # the fourth place is taken by the first window


def test_image_settings_vary_and_are_sound():
    drawn = [signals.draw_settings(rng(seed), 64) for seed in range(60)]
    assert all(isinstance(settings, ImageSettings) for settings in drawn)
    assert {(settings.height, settings.width) for settings in drawn} == {(64, 64)}
    assert len({settings.dynamic_range_db for settings in drawn}) > 20
    assert {len(settings.stft_s) for settings in drawn} == {1, 3}


def test_shards_hold_every_kind_signals_most_often():
    counts = {kind: KINDS.count(kind) for kind in set(KINDS)}
    assert set(counts) == {"signals", "virtual", "pictures"}
    assert max(counts, key=counts.get) == "signals"
    assert kind_of(len(KINDS) + 1) == KINDS[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "index", [KINDS.index(kind) for kind in ("signals", "virtual", "pictures")]
)
def test_a_shard_can_be_drawn_again_alone(index):
    first, again = draw_shard(5, index, SIZE), draw_shard(5, index, SIZE)
    assert first.shape == (SHARD, 3, SIZE, SIZE)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, draw_shard(6, index, SIZE))


def test_a_shard_is_whole_only_with_all_its_files(tmp_path):
    store = ShardStore(tmp_path, SIZE, ("a", "b"), 0)
    images = np.arange(2 * 3 * SIZE * SIZE, dtype=np.uint32).astype(np.uint8)
    images = images.reshape(2, 3, SIZE, SIZE)
    store.save(7, "images", images)
    store.save(7, "a", np.ones((2, 4, 8, 8), np.float16))
    assert not store.is_whole(7)
    store.save(7, "b", np.zeros((2, 8, 4, 4), np.float16))
    assert store.is_whole(7)
    loaded, maps = store.load(7)
    assert np.array_equal(loaded, images)
    assert [layer.shape for layer in maps] == [(2, 4, 8, 8), (2, 8, 4, 4)]
