"""Metrics of texts against reference texts; each is a value per instance, so paired statistics apply."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from pytest_behave.errors import MissingExtraError
from pytest_behave.measure.means import Mean
from pytest_behave.measure.metric import Metric, always
from pytest_behave.measure.statistics import Proportion
from pytest_behave.records import MetricSpec, Outcome

PUNCTUATION = re.compile(r"[^\w\s']")
PairScore = Callable[[str, str], float]


def normalized(text: str) -> str:
    """Lower-case, turn punctuation but apostrophes into spaces, collapse white space."""
    return " ".join(PUNCTUATION.sub(" ", text.lower()).split())


def _pairs(outcome: Outcome, spec: MetricSpec) -> list[tuple[str, str]]:
    clean: Callable[[str], str] = normalized if spec.parameters.get("normalize") else str
    targets, outputs = np.asarray(outcome.target).tolist(), np.asarray(outcome.predicted).tolist()
    return [(clean(target), clean(output)) for target, output in zip(targets, outputs, strict=True)]


def _matching(matches: Callable[[str, str], bool]) -> Callable[[MetricSpec], Proportion]:
    def statistic(spec: MetricSpec) -> Proportion:
        def planes(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
            hits = [matches(target, output) for target, output in _pairs(outcome, spec)]
            return np.array(hits, dtype=bool), np.ones(outcome.size, dtype=bool)

        return Proportion(planes)

    return statistic


def _scored(make: Callable[[], PairScore]) -> Callable[[MetricSpec], Mean]:
    def statistic(spec: MetricSpec) -> Mean:
        def values(outcome: Outcome) -> np.ndarray:
            score = make()
            return np.array([score(target, output) for target, output in _pairs(outcome, spec)], dtype=np.float64)

        return Mean(values, "no instance with a reference text", floor=0.0)

    return statistic


def _error_rate(name: str) -> Callable[[], PairScore]:
    def make() -> PairScore:
        try:
            import jiwer
        except ImportError:
            raise MissingExtraError(f"the metric {name}", "jiwer", "text") from None
        rate = {"wer": jiwer.wer, "cer": jiwer.cer}[name]

        def score(target: str, output: str) -> float:
            if not target.strip():
                return np.nan  # an error rate divides by the length of the reference
            return float(rate(target, output))

        return score

    return make


def _rouge_l() -> PairScore:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtraError("the metric rouge_l", "rouge-score", "text") from None
    scorer = RougeScorer(["rougeL"])
    return lambda target, output: float(scorer.score(target, output)["rougeL"].fmeasure)


def _chrf() -> PairScore:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtraError("the metric chrf", "sacrebleu", "text") from None
    scorer = CHRF()
    return lambda target, output: float(scorer.sentence_score(output, [target]).score) / 100


def _length(outcome: Outcome) -> np.ndarray:
    return np.array([len(text) for text in np.asarray(outcome.predicted).tolist()], dtype=np.float64)


METRICS = (
    Metric(
        name="exact_match",
        parameters=("normalize",),
        better="higher",
        tasks=("text",),
        statistic=_matching(lambda target, output: target == output),
        definition="share of outputs equal to the target (`normalize: true` ignores case and punctuation)",
        undefined="never (a slice is not empty)",
        source="Rajpurkar et al. 2016, EMNLP",
    ),
    Metric(
        name="contains",
        parameters=("normalize",),
        better="higher",
        tasks=("text",),
        statistic=_matching(lambda target, output: target in output),
        definition="share of outputs that contain the target (`normalize: true` ignores case and punctuation)",
        undefined="never (a slice is not empty)",
        source="OpenAI Evals, `Includes`",
    ),
    Metric(
        name="wer",
        parameters=("normalize",),
        better="lower",
        tasks=("text",),
        statistic=_scored(_error_rate("wer")),
        definition="mean over instances of (substitutions + deletions + insertions) / words of the target",
        undefined="every target of the slice is empty",
        source="Morris et al. 2004, Interspeech; computed by jiwer",
    ),
    Metric(
        name="cer",
        parameters=("normalize",),
        better="lower",
        tasks=("text",),
        statistic=_scored(_error_rate("cer")),
        definition="mean over instances of the character error rate",
        undefined="every target of the slice is empty",
        source="Morris et al. 2004, Interspeech; computed by jiwer",
    ),
    Metric(
        name="rouge_l",
        parameters=("normalize",),
        better="higher",
        tasks=("text",),
        statistic=_scored(_rouge_l),
        definition="mean over instances of the F-measure of the longest common subsequence of words",
        undefined="never (a slice is not empty)",
        source="Lin 2004, ACL workshop; computed by rouge-score",
    ),
    Metric(
        name="chrf",
        parameters=("normalize",),
        better="higher",
        tasks=("text",),
        statistic=_scored(_chrf),
        definition="mean over instances of the sentence-level character n-gram F-score, from 0 to 1",
        undefined="never (a slice is not empty)",
        source="Popovic 2015, WMT; computed by sacrebleu",
    ),
    Metric(
        name="length",
        better="lower",
        tasks=("text",),
        statistic=always(Mean(_length, floor=0.0)),
        definition="mean number of characters of the output",
        undefined="never (a slice is not empty)",
        source="plain count",
    ),
)
