"""How the constants of the formulas are fitted, kept and looked up. Formulas live beside this folder.

`fit` and `fold` import SciPy and are imported from their own modules, by who fits.
"""

from stargate.performance.calibration.joint import Joint
from stargate.performance.calibration.lookup import Grade, Lookup
from stargate.performance.calibration.measured import Batch, Key, Measured, Parameter
from stargate.performance.calibration.record import Calibration, Cell, Release, Residual, shipped
from stargate.performance.calibration.score import Accuracy, Score, Scored, score, scored

__all__ = [
    "Accuracy",
    "Batch",
    "Calibration",
    "Cell",
    "Grade",
    "Joint",
    "Key",
    "Lookup",
    "Measured",
    "Parameter",
    "Release",
    "Residual",
    "Score",
    "Scored",
    "score",
    "scored",
    "shipped",
]
