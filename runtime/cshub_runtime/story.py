"""The story the demo tells: what people do in the simulated services before and between the syncs."""

from collections.abc import Sequence

from cshub_runtime import story_of_both_ways, story_of_meetings
from cshub_runtime.acts import Act

PROLOGUE: Sequence[Act] = (*story_of_meetings.PROLOGUE, *story_of_both_ways.PROLOGUE)
ACTS: Sequence[Act] = (*story_of_meetings.ACTS, *story_of_both_ways.ACTS)
