"""The statements, family by family, in the order of the manual."""

from tests.spec.chapters import account, activity, fit, journey, mix, rhythm, time_rule
from tests.spec.spec import Chapter

CHAPTERS: tuple[Chapter, ...] = (
    *time_rule.CHAPTERS,
    *activity.CHAPTERS,
    *rhythm.CHAPTERS,
    *mix.CHAPTERS,
    *journey.CHAPTERS,
    *fit.CHAPTERS,
    *account.CHAPTERS,
)
