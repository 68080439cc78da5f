"""What TensorBoard shows, written by tensorboardX without TensorFlow: `flax.metrics.tensorboard`."""
from __future__ import annotations

import io
import os
import struct
import time
import wave
import zlib
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.optional import optional
from perspicax.flax.metrics.errors import SummaryDataError

__all__ = ["SummaryWriter"]


_writers = count()  # names of files have the second in which they were made, and two may be made in one


@public_methods("__init__", "scalar", "image", "audio", "histogram", "text", "write", "hparams", "flush", "close")
class SummaryWriter:
    """Writes numbers, pictures, sounds and texts of a training into a folder that TensorBoard reads.

    Args:
        log_dir: the folder; made if it is not there.
        auto_flush: whether each call is on the disk when it returns.

    Raises:
        MissingPackageError: tensorboardX is not installed.

    It is a context manager, too: `with SummaryWriter(folder) as writer:` closes it at the end.
    """

    def __init__(self, log_dir: str | os.PathLike[str], auto_flush: bool = True) -> None:
        def part(name: str) -> Any:
            return optional(f"tensorboardX.{name}", extra="tensorboard", needed_for="`SummaryWriter`")

        self._protos, self._tensors, self._events = part("proto.summary_pb2"), part("summary"), part("proto.event_pb2")
        folder = os.fspath(log_dir)
        files = part("event_file_writer")
        files.directory_check(folder)
        # Not the library's own `SummaryWriter`: that writes in a thread, and its `flush` does not wait for it.
        self._writer: Any = files.EventsWriter(os.path.join(folder, "events"), f".{os.getpid()}.{next(_writers)}")
        self._closed = False
        self._auto_flush = auto_flush

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Write a number.

        Args:
            tag: what it is called.
            value: a number, or an array of one.
            step: the step that it belongs to.

        Raises:
            SummaryDataError: it is no single number.
        """
        found = _array(value)
        if found.size != 1 or found.dtype.kind not in "biuf":
            raise SummaryDataError(kind="a scalar", tag=tag, given=_shown(value, found), wanted="one real number")
        self._add(step, self._value(tag, simple_value=float(found.reshape(()))))

    def image(self, tag: str, image: Any, step: int, max_outputs: int = 3) -> None:
        """Write pictures.

        Args:
            tag: what they are called.
            image: `[H, W]`, `[H, W, C]` or `[K, H, W, C]`, with C of 1 (grey) or 3 (red, green, blue); `[K, H, W]` for
                several grey ones, unless W is 1 or 3. Bytes, floats between 0 and 1, or truth values (black and white);
                what is outside is cut off.
            step: the step that they belong to.
            max_outputs: how many of K to write at most.

        Raises:
            SummaryDataError: the shape is another, or has no pixels.
        """
        pixels = _array(image)
        given = pixels
        if pixels.ndim == 2:
            pixels = pixels[None, :, :, None]
        elif pixels.ndim == 3:
            pixels = pixels[None] if pixels.shape[-1] in (1, 3) else pixels[..., None]
        if (pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape[1:3]
                or pixels.dtype.kind not in "biuf"):
            raise SummaryDataError(kind="an image", tag=tag, given=_shown(image, given), wanted=
                                   "numbers of shape [H, W], [H, W, 1 or 3], [K, H, W] or [K, H, W, 1 or 3], none of them 0")
        most = _whole("an image", tag, "max_outputs", max_outputs, 0, 2**31)
        pixels = _bytes_of(pixels)
        _, height, width, _ = pixels.shape
        self._add(step, self._strings(tag, "images", [str(width).encode(), str(height).encode(),
                                                      *map(_png, pixels[:most])]))

    def audio(self, tag: str, audiodata: Any, step: int, sample_rate: int = 44100, max_outputs: int = 3) -> None:
        """Write sounds.

        Args:
            tag: what they are called.
            audiodata: floats `[K, frames, channels]` between -1 and 1; what is outside is cut off.
            step: the step that they belong to.
            sample_rate: frames in a second.
            max_outputs: how many of K to write at most.

        Raises:
            SummaryDataError: the shape or dtype is another, or the rate is no positive integer.
        """
        sounds = _array(audiodata)
        if sounds.ndim != 3 or sounds.dtype.kind != "f" or not 0 < sounds.shape[2] < 1 << 16:
            raise SummaryDataError(kind="audio", tag=tag, given=_shown(audiodata, sounds), wanted=
                                   "floats between -1 and 1 of shape [K, frames, channels]; divide samples of 16 bits by 32768")
        rate = _whole("audio", tag, "sample_rate", sample_rate, 1, 1 << 32)
        most = _whole("audio", tag, "max_outputs", max_outputs, 0, 1 << 31)
        entries = [part for sound in sounds[:most] for part in (_wav(sound, rate), b"")]
        self._add(step, self._strings(tag, "audio", entries, shape=(len(entries) // 2, 2)))

    def histogram(self, tag: str, values: Any, step: int, bins: int | Sequence[float] | str | None = None) -> None:
        """Write how values are distributed.

        Args:
            tag: what they are called.
            values: numbers of any shape; those that are not finite are left out.
            step: the step that they belong to.
            bins: how many bins, 30 by default; or as `numpy.histogram` takes them.

        Raises:
            SummaryDataError: they are no real numbers, or cannot be divided into such bins.
        """
        found = _array(values)
        if found.dtype.kind not in "biuf":
            raise SummaryDataError(kind="a histogram", tag=tag, given=_shown(values, found), wanted="real numbers")
        flat = found.astype(np.float64).reshape(-1)
        flat = flat[np.isfinite(flat)]
        try:
            counted, edges = np.histogram(flat, 30 if bins is None else bins)
        except (ValueError, TypeError) as error:
            raise SummaryDataError(kind="a histogram", tag=tag, what="`bins`", given=30 if bins is None else bins,
                                   wanted=f"bins that divide the range of the values (NumPy says: {error})") from None
        self._add(step, self._value(tag, histo=self._protos.HistogramProto(
            min=float(flat.min()) if flat.size else 0.0, max=float(flat.max()) if flat.size else 0.0, num=float(flat.size),
            sum=float(flat.sum()), sum_squares=float(flat @ flat), bucket_limit=[float(edge) for edge in edges],
            bucket=[0.0, *map(float, counted)])))

    def text(self, tag: str, textdata: str, step: int) -> None:
        """Write a text, which TensorBoard shows as Markdown.

        Args:
            tag: what it is called.
            textdata: the text.
            step: the step that it belongs to.
        """
        self._add(step, self._strings(tag, "text", [str(textdata).encode()], shape=()))

    def write(self, tag: str, tensor: Any, step: int, metadata: Any = None) -> None:
        """Write an array for a plugin of TensorBoard's.

        Args:
            tag: what it is called.
            tensor: the array.
            step: the step that it belongs to.
            metadata: a `SummaryMetadata`, or its bytes, that names the plugin.

        Raises:
            SummaryDataError: the array is of a dtype that TensorBoard does not have.
        """
        array = _array(tensor)
        code = _TENSORFLOW_TYPES.get(array.dtype.name)
        if code is None:
            raise SummaryDataError(kind="a tensor", tag=tag, given=array, wanted=f"one of {', '.join(_TENSORFLOW_TYPES)}")
        proto = self._protos.SummaryMetadata()
        if metadata is not None:
            proto.ParseFromString(metadata if isinstance(metadata, bytes) else metadata.SerializeToString())
        found = self._tensors.TensorProto(dtype=code, tensor_shape=self._shape(array.shape),
                                          tensor_content=np.ascontiguousarray(array).tobytes())
        self._add(step, self._value(tag, tensor=found, metadata=proto))

    def hparams(self, hparams: Mapping[str, Any]) -> None:
        """Write the options of a training, which TensorBoard shows as a table.

        Args:
            hparams: options by name. Those in inner dicts and lists get names with dots; what is neither text, number
                nor truth value is written as text.
        """
        for summary in self._tensors.hparams(_flat("", hparams), {}):
            self._put(summary, 0)

    def flush(self) -> None:
        """Let all that was written be on the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Flush, and end: what is written after it is an error of Python's for closed files. Twice is as good as once."""
        if not self._closed:
            self._closed = True
            self._writer.flush()
            self._writer.close()

    def _add(self, step: int, value: Any) -> None:
        self._put(self._protos.Summary(value=[value]), _whole("an entry", value.tag, "step", step, -(1 << 63), 1 << 63))

    def _put(self, summary: Any, step: int) -> None:
        self._writer.write_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
        if self._auto_flush:
            self._writer.flush()

    def _value(self, tag: str, **content: Any) -> Any:
        if not isinstance(tag, str):
            raise SummaryDataError(kind="an entry", tag=str(tag), what="`tag`", given=tag, wanted="a tag that is text")
        return self._protos.Summary.Value(tag=tag, **content)

    def _shape(self, shape: tuple[int, ...]) -> Any:
        made = self._tensors.TensorShapeProto()
        for size in shape:
            made.dim.add(size=size)
        return made

    def _strings(self, tag: str, plugin: str, strings: list[bytes], shape: tuple[int, ...] | None = None) -> Any:
        """A tensor of strings for one of TensorBoard's own plugins."""
        content = self._protos.SummaryMetadata.PluginData(plugin_name=plugin)
        return self._value(tag, metadata=self._protos.SummaryMetadata(plugin_data=content), tensor=self._tensors.TensorProto(
            dtype=7, string_val=strings, tensor_shape=self._shape((len(strings),) if shape is None else shape)))


# The numbers of dtypes in TensorFlow's `types.proto`.
_TENSORFLOW_TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "complex64": 8, "int64": 9,
                     "bool": 10, "bfloat16": 14, "uint16": 17, "complex128": 18, "float16": 19, "uint32": 22, "uint64": 23}


def _array(value: Any) -> np.ndarray:
    found = np.asarray(value)
    return found.astype(np.float32) if found.dtype.name in ("bfloat16", "float16") else found


def _shown(given: Any, found: np.ndarray) -> Any:
    """What a report shows of data: its type, where NumPy has made objects or text of it that have none of their own."""
    return found if hasattr(given, "shape") or found.dtype.kind in "biufc" else given


def _whole(kind: str, tag: str, name: str, given: Any, least: int, beyond: int) -> int:
    """An argument that is an integer, of whatever type."""
    try:
        found = None if isinstance(given, str) else int(given)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or not least <= found < beyond:
        limit = {0: " of at least 0", 1: " of at least 1"}.get(least, " of 64 bits")
        raise SummaryDataError(kind=kind, tag=tag, what=f"`{name}`", given=given,
                               wanted=f"a `{name}` that is an integer{limit}")
    return found


def _bytes_of(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind in "iu":
        return np.clip(pixels, 0, 255).astype(np.uint8)
    return np.clip(np.nan_to_num(pixels) * 255.5, 0, 255).astype(np.uint8)  # so that each byte has as much of [0, 1]


def _png(pixels: np.ndarray) -> bytes:
    """A picture `[H, W, C]` of bytes as PNG (W3C recommendation): each row begins with its filter, 0 for none."""
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows.tobytes())) + part(b"IEND", b"")


def _wav(sound: np.ndarray, sample_rate: int) -> bytes:
    """A sound `[frames, channels]` as a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(sound.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(np.round(np.clip(np.nan_to_num(sound), -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _flat(above: str, options: Any) -> dict[str, bool | int | float | str]:
    """Options by their full names."""
    inner = options.items() if isinstance(options, Mapping) else enumerate(options)
    found: dict[str, bool | int | float | str] = {}
    for key, value in inner:
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping | list | tuple):
            found.update(_flat(name, value))
        elif isinstance(value, bool | int | float | str):
            found[name] = value
        elif np.ndim(value) == 0 and getattr(np.asarray(value), "dtype", np.dtype(object)).kind in "biuf":
            found[name] = np.asarray(value).item()
        else:
            found[name] = str(value)
    return found
