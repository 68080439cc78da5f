"""The problems of `perspicax check` as text, JSON, SARIF and annotations for GitHub."""
from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from perspicax.analyse.source.rules import RULES, Problem
from perspicax.cli.showing import github_annotation
from perspicax.diagnose.render.json import as_data
from perspicax.diagnose.render.terminal import render_terminal, wants_colour

__all__ = ["FORMATS", "written"]

FORMATS = ("text", "json", "sarif", "github")


def written(problems: Sequence[Problem], format: str) -> str:
    """All problems in a format.

    Args:
        problems: what was found.
        format: one of `FORMATS`; `text` is coloured where standard output is a terminal that wants it.
    """
    match format:
        case "text":
            colour = wants_colour(sys.stdout)
            return "\n\n".join([render_terminal(p.report, p.rule.id, colour=colour) for p in problems] + [""] * bool(problems))
        case "json":
            return json.dumps([{"rule": p.rule.id, "safe": p.safe, **as_data(p.report, p.rule.foresees)} for p in problems],
                              indent=2, ensure_ascii=False)
        case "sarif":
            return json.dumps(_sarif(problems), indent=2, ensure_ascii=False)
    return "\n".join([github_annotation(p.report, f"{p.rule.id} ({p.rule.foresees})", _level(p)) for p in problems])


def _level(problem: Problem) -> str:
    return "warning" if problem.rule.foresees in _FINDINGS else "error"


_FINDINGS = frozenset({"KeyReuse", "DiscardedUpdate", "SideEffect", "LeakedTracer"})


def _sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """SARIF 2.1.0 (OASIS): what code-scanning services read."""
    rules = [{"id": r.id, "name": r.foresees, "shortDescription": {"text": r.about}, "fullDescription": {"text": r.why},
              "help": {"text": f"perspicax explain {r.foresees}"}} for r in RULES.values()]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "perspicax check", "version": version("perspicax"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": [_result(p) for p in problems],
        }],
    }


def _result(problem: Problem) -> dict[str, Any]:
    fixes = [" ".join([fix.says, *fix.lines]) for fix in problem.fixes]
    text = "\n".join([problem.says, f"why: {problem.rule.why}", *[f"fix: {fix}" for fix in fixes]])
    return {
        "ruleId": problem.rule.id,
        "ruleIndex": list(RULES).index(problem.rule.id),
        "level": _level(problem),
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(problem.span)}],
        "relatedLocations": [{"physicalLocation": _location(label.span), "message": {"text": label.text}}
                             for label in problem.labels],
    }


def _location(span: Any) -> dict[str, Any]:
    region = {"startLine": span.line}
    if span.column is not None:
        region |= {"startColumn": span.column + 1, "endLine": span.end_line or span.line,
                   "endColumn": (span.end_column or span.column) + 1}
    return {"artifactLocation": {"uri": span.filename.replace(os.sep, "/")}, "region": region}
