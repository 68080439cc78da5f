"""What `SummaryWriter` writes is read back by TensorBoard's own reader."""
from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax.numpy as jnp
from perspicax.flax.metrics.errors import SummaryDataError
from perspicax.flax.metrics.tensorboard import SummaryWriter

pytest.importorskip("tensorboardX")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder: Path) -> Any:
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    return found


def strings(found: Any, tag: str) -> list[bytes]:
    (event,) = found.Tensors(tag)
    return list(event.tensor_proto.string_val)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("board")
    with SummaryWriter(folder, auto_flush=False) as writer:
        for step in range(3):
            writer.scalar("loss", jnp.float32(1.5) / (step + 1), step)
        writer.image("colour", np.linspace(0, 1, 5 * 4 * 6 * 3).reshape(5, 4, 6, 3), 1, max_outputs=2)
        writer.image("grey", np.arange(24, dtype=np.uint8).reshape(4, 6), 1)
        writer.audio("tone", np.array([[[0.0], [0.5], [2.0]]]), 1, sample_rate=8000)
        writer.histogram("weights", jnp.arange(10.0), 2, bins=5)
        writer.histogram("empty", np.array([np.nan]), 2)
        writer.text("note", "hello *world*", 2)
        writer.write("raw", np.arange(4, dtype=np.int32).reshape(2, 2), 4)
        writer.hparams({"rate": 0.1, "layers": {"sizes": [8, 16]}, "name": "small", "deep": True, "n": np.int32(3)})
    return read(folder)


def test_scalars(written: Any) -> None:
    assert [(event.step, event.value) for event in written.Scalars("loss")] == [(0, 1.5), (1, 0.75), (2, 0.5)]


def test_images(written: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    width, height, *pictures = strings(written, "colour")
    assert (width, height, len(pictures)) == (b"6", b"4", 2)
    pixels = np.asarray(image.open(io.BytesIO(pictures[0])))
    expected = np.linspace(0, 1, 5 * 4 * 6 * 3).reshape(5, 4, 6, 3)[0]
    assert pixels.shape == (4, 6, 3) and np.abs(pixels / 255 - expected).max() < 1 / 255
    grey = np.asarray(image.open(io.BytesIO(strings(written, "grey")[2])))
    assert (grey == np.arange(24).reshape(4, 6)).all()
    assert written.SummaryMetadata("grey").plugin_data.plugin_name == "images"


def test_audio(written: Any) -> None:
    with wave.open(io.BytesIO(strings(written, "tone")[0])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (8000, 1, 3)
        assert np.frombuffer(sound.readframes(3), "<i2").tolist() == [0, 16384, 32767]


def test_histograms(written: Any) -> None:
    (event,) = written.Histograms("weights")
    value = event.histogram_value
    assert (value.min, value.max, value.num, value.sum, value.sum_squares) == (0, 9, 10, 45, 285)
    assert value.bucket == [0, 2, 2, 2, 2, 2] and len(value.bucket_limit) == 6
    assert written.Histograms("empty")[0].histogram_value.num == 0


def test_text_and_tensors(written: Any) -> None:
    assert strings(written, "note") == [b"hello *world*"]
    assert written.SummaryMetadata("note").plugin_data.plugin_name == "text"
    proto = written.Tensors("raw")[0].tensor_proto
    assert np.frombuffer(proto.tensor_content, np.int32).tolist() == [0, 1, 2, 3]


def test_options(written: Any) -> None:
    plugin = written.PluginTagToContent("hparams")
    assert plugin
    text = b"".join(content if isinstance(content, bytes) else content.encode() for content in plugin.values())
    for name in (b"rate", b"layers.sizes.0", b"name", b"deep", b"n"):
        assert name in text


def test_each_call_is_on_the_disk_at_once_by_default(tmp_path: Path) -> None:
    writer = SummaryWriter(tmp_path)
    writer.scalar("loss", 2, 7)
    assert [(event.step, event.value) for event in read(tmp_path).Scalars("loss")] == [(7, 2.0)]
    writer.close()


@pytest.mark.parametrize("write", [
    lambda w: w.scalar("x", np.ones(3), 1), lambda w: w.scalar("x", "text", 1),
    lambda w: w.image("x", np.ones((2, 2, 2, 2, 3)), 1),
    lambda w: w.image("x", np.ones((2, 4, 4, 4)), 1), lambda w: w.audio("x", np.ones(5), 1),
    lambda w: w.histogram("x", np.array(["a"]), 1), lambda w: w.write("x", np.array([None]), 1)])
def test_other_kinds_are_refused(write: Any, tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer, pytest.raises(SummaryDataError) as caught:
        write(writer)
    assert caught.value.tag == "x"


@pytest.mark.parametrize("write, says", [
    (lambda w: w.scalar("x", 1.0, None), "`step` is None"), (lambda w: w.scalar("x", 1.0, float("nan")), "`step` is nan"),
    (lambda w: w.scalar("x", 1.0, 2**70), "`step` is 1180591620717411303424"), (lambda w: w.scalar(3, 1.0, 1), "`tag` is 3"),
    (lambda w: w.scalar("x", None, 1), "it is a NoneType"), (lambda w: w.text("x", "y", None), "`step` is None"),
    (lambda w: w.image("x", np.ones((0, 5)), 1), "it is an array float64[0,5]"),
    (lambda w: w.image("x", np.ones((2, 2)), 1, max_outputs=-1), "`max_outputs` is -1"),
    (lambda w: w.audio("x", np.ones((1, 5, 1), np.int16), 1), "it is an array int16[1,5,1]"),
    (lambda w: w.audio("x", np.ones((1, 5, 0)), 1), "it is an array float64[1,5,0]"),
    (lambda w: w.audio("x", np.ones((1, 5, 1)), 1, sample_rate=0), "`sample_rate` is 0"),
    (lambda w: w.histogram("x", np.ones(5), 1, bins=0), "`bins` is 0"),
    (lambda w: w.histogram("x", np.ones(5), 1, bins="nosuch"), "`bins` is 'nosuch'")])
def test_arguments_that_do_not_go_are_told(write: Any, says: str, tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer, pytest.raises(SummaryDataError) as caught:
        write(writer)
    assert says in str(caught.value).replace("\n", " ")
    assert not [tag for tags in read(tmp_path).Tags().values() if isinstance(tags, list) for tag in tags], "nothing is written"


def test_truth_values_are_black_and_white(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.image("mask", np.array([[True, False]]), 1)
        writer.image("white", np.array([[255, 0]], np.uint8), 1)
        writer.histogram("edges", np.arange(4.0), np.int64(1), bins=[0.0, 2.0, 4.0])
    found = read(tmp_path)
    assert strings(found, "mask") == strings(found, "white")
    assert found.Histograms("edges")[0].histogram_value.bucket == [0, 2, 2]


def test_a_closed_writer_writes_no_more(tmp_path: Path) -> None:
    writer = SummaryWriter(tmp_path / "new" / "folder")
    writer.close()
    writer.close()
    with pytest.raises(ValueError):
        writer.scalar("loss", 1.0, 1)
