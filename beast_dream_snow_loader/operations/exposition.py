"""Samples as Prometheus reads them, and read back from what was written before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from beast_dream_snow_loader.core.measures import BY_NAME, COMMON, MEASURES, Sample

_SUFFIXES = ("_sum", "_count")
_OF_SUMMARY = "quantile"


class Exposed(Collector):
    """Samples under the names, types and words of the catalogue, in its order. ``common`` are the labels on all.

    Raises KeyError for a name, ValueError for labels that the catalogue does not have.
    """

    def __init__(self, samples: Iterable[Sample], common: Mapping[str, str]) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for sample in samples:
            _refuse_unlisted(sample)
            self._samples.setdefault(sample.name, []).append(sample)
        self._common = {name: common.get(name, "") for name in COMMON}

    def collect(self) -> Iterator[Metric]:
        for measure in MEASURES:
            if found := self._samples.get(measure.name):
                metric = Metric(measure.name.removesuffix("_total"), measure.help, measure.type)
                for one in found:
                    metric.add_sample(f"{measure.name}{one.suffix}", {**self._common, **one.labels}, one.value)
                yield metric


def _refuse_unlisted(sample: Sample) -> None:
    measure = BY_NAME[sample.name]
    labels = {*COMMON, *sample.labels} - ({_OF_SUMMARY} if measure.type == "summary" else set())
    if labels != set(measure.every_label):
        raise ValueError(f"{sample.name} has the labels {sorted(labels)}, the catalogue others")


def registry_of(samples: Iterable[Sample], common: Mapping[str, str]) -> CollectorRegistry:
    """A registry of its own, with nothing in it but these."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposed(samples, common))
    return registry


def exposition(samples: Iterable[Sample], common: Mapping[str, str]) -> bytes:
    """The Prometheus text format, version 0.0.4."""
    return generate_latest(registry_of(samples, common))


class NotOurs(ValueError):
    """What was read is no exposition of snowload's, or of several targets."""


def read_exposition(text: str) -> tuple[dict[str, str], list[Sample]]:
    """The common labels and the samples of an :func:`exposition`. What a later version added is left out. Raises
    NotOurs."""
    common: dict[str, str] | None = None
    samples: list[Sample] = []
    try:
        for family in text_string_to_metric_families(text):
            for name, labels, value, *_ in family.samples:
                here = {label: labels.get(label, "") for label in COMMON}
                if not name.startswith("snowload_") or here != (common or here):
                    raise NotOurs(name)
                common = here
                samples += _known(name, {k: v for k, v in labels.items() if k not in COMMON}, value)
    except NotOurs:
        raise
    except (ValueError, KeyError, IndexError) as error:
        raise NotOurs(type(error).__name__) from None
    if common is None:
        raise NotOurs("nothing in it")
    return common, samples


def _known(name: str, labels: dict[str, str], value: float) -> Iterator[Sample]:
    base, suffix = name, ""
    for one in _SUFFIXES:
        if name not in BY_NAME and name.endswith(one):
            base, suffix = name.removesuffix(one), one
    sample = Sample(name=base, value=value, labels=labels, suffix=suffix)
    try:
        _refuse_unlisted(sample)
    except (KeyError, ValueError):
        return
    yield sample
