"""The floor and ours take turns, and each figure keeps its own samples."""

import asyncio
from contextlib import asynccontextmanager

from benchmarks.contests import Contest, Figure, Sides, run_rounds
from benchmarks.ratios import Round, Target


class Recorder:
    """Sides that write down their turns; each sample is the number of the turn."""

    def __init__(self) -> None:
        self.turns: list[str] = []

    def side(self, name):
        async def measure():
            self.turns.append(name)
            return {"p50": float(len(self.turns)), "rate": 100.0 * len(self.turns)}

        return measure

    @asynccontextmanager
    async def open(self):
        self.turns.append("opened")
        yield Sides(floor=self.side("floor"), ours=self.side("ours"), again=self.side("again"))
        self.turns.append("closed")


def contest(recorder: Recorder) -> Contest:
    return Contest(
        figures=tuple(
            Figure(name=name, what=name, unit="ms", target=Target.at_most(1))
            for name in ("p50", "rate")
        ),
        open=recorder.open,
    )


def test_ours_stands_between_floors_that_change_places_after_one_warming_up():
    recorder = Recorder()
    told = []
    asyncio.run(run_rounds(contest(recorder), 3, told.append))
    assert recorder.turns == [
        "opened",
        *("floor", "ours", "again"),
        *("floor", "ours", "again"),
        *("again", "ours", "floor"),
        *("floor", "ours", "again"),
        "closed",
    ]
    assert told == [0, 1, 2, 3]


def test_each_figure_gets_the_samples_of_its_own_name_on_the_side_that_yielded_them():
    results = asyncio.run(run_rounds(contest(Recorder()), 2, lambda _: None))
    # The sides were opened in turn 1 and warmed up in turns 2 to 4.
    assert results == {
        "p50": [Round(floor=5, ours=6, again=7), Round(floor=10, ours=9, again=8)],
        "rate": [Round(floor=500, ours=600, again=700), Round(floor=1000, ours=900, again=800)],
    }
