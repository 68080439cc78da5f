"""From samples to rows: ratios, their spread, and whether the targets are met."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.targets import Target

HEADINGS = ("metric", "unit", "baseline", "subject", "ratio", "spread", "must", "aim", "")


@dataclass(frozen=True)
class Row:
    """A target and the samples of both sides, pair by pair: those of one repetition stand at the same index."""

    target: Target
    baseline: tuple[float, ...]
    subject: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        return [s / b for s, b in zip(self.subject, self.baseline, strict=True)]

    @property
    def ratio(self) -> float:
        """The median over the repetitions. A pair is measured back to back, so a slow minute falls out of it."""
        return median(self.ratios)

    @property
    def spread(self) -> float:
        """How far apart the middle half of the ratios lies, as a share of the ratio."""
        if len(self.ratios) < 2:
            return 0.0
        low, _, high = quantiles(self.ratios, n=4, method="inclusive")
        return (high - low) / self.ratio

    @property
    def verdict(self) -> str:
        if self.target.must is None or self.target.aim is None:
            return ""
        if self.ratio <= self.target.aim:
            return "aim met"
        return "must met" if self.ratio <= self.target.must else "MISSED"

    def cells(self) -> tuple[str, ...]:
        def bound(value: float | None) -> str:
            return "" if value is None else f"{value:g}"

        return (
            self.target.says, self.target.unit, f"{median(self.baseline):.4g}", f"{median(self.subject):.4g}",
            f"{self.ratio:.3f}", f"{100 * self.spread:.0f} %", bound(self.target.must), bound(self.target.aim),
            self.verdict,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.target),
            "baseline": self.baseline,
            "subject": self.subject,
            "ratio": self.ratio,
            "ratio_of_best": min(self.subject) / min(self.baseline),
            "spread": self.spread,
            "verdict": self.verdict,
        }


def headings(baseline: str, subject: str) -> tuple[str, ...]:
    return tuple({"baseline": baseline, "subject": subject}.get(heading, heading) for heading in HEADINGS)


def text_line(cells: Sequence[str], name_width: int) -> str:
    """One line of the terminal's table: names to the left, figures to the right."""
    widths = (name_width, 6, 10, 10, 7, 7, 5, 5)
    name, unit, *figures, verdict = cells
    aligned = [f"{figure:>{width}}" for figure, width in zip(figures, widths[2:], strict=True)]
    return "  ".join([f"{name:{widths[0]}}", f"{unit:{widths[1]}}", *aligned, verdict]).rstrip()


def markdown(rows: Iterable[Row], baseline: str, subject: str, note: str) -> str:
    """The table in Markdown, and a line on how it was measured."""
    lines = [headings(baseline, subject), (":--", ":--", "--:", "--:", "--:", "--:", "--:", "--:", ":--")]
    lines += [row.cells() for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + f"\n\n{note}\n"
