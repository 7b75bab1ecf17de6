"""The sections of the report, in the order they are shown: one import line each."""

from nas.report.sections import front  # noqa: F401, I001  the order is that of the page
from nas.report.sections import trade_offs  # noqa: F401
from nas.report.sections import mistakes  # noqa: F401
from nas.report.sections import progress  # noqa: F401
from nas.report.sections import importance  # noqa: F401
from nas.report.sections import space_map  # noqa: F401
from nas.report.sections import baselines  # noqa: F401
from nas.report.sections import calibration  # noqa: F401
from nas.report.sections import fidelities  # noqa: F401
from nas.report.sections import inheritance  # noqa: F401
from nas.report.sections import workers  # noqa: F401
from nas.report.sections import failures  # noqa: F401
from nas.report.sections import environment  # noqa: F401
from nas.report.sections.base import SECTIONS, Section

__all__ = ["SECTIONS", "Section"]
