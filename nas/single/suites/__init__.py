"""Suites that only evaluate; importing this registers those that come along."""

from nas.single.suites import advglue, minimal_pairs
from nas.single.suites.base import SUITE_SCORERS, EvaluationSuite, Row, SuiteScores

__all__ = ["SUITE_SCORERS", "EvaluationSuite", "Row", "SuiteScores", "advglue", "minimal_pairs"]
