"""The command line becomes one value, and a wrong one a sentence and status 2."""

from pathlib import Path

import pytest
from benchmarks.arguments import Options, parse

KNOWN = ("P1", "P2", "P3", "P11")


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], KNOWN),
        (["P2"], ("P2",)),
        (["--id", "P2"], ("P2",)),
        (["--id", "p11", "p1"], ("P1", "P11")),
        (["P1", "--id", "P2", "--id", "P1"], ("P1", "P2")),
    ],
)
def test_ids_are_taken_in_either_form_and_put_in_order(arguments, ids):
    assert parse(arguments, KNOWN).ids == ids


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [([], ("P1", "P2", "P3")), (["p11"], ("P11",)), (["P1", "P11"], ("P1", "P11"))],
)
def test_what_stands_apart_is_run_only_when_it_is_named(arguments, ids):
    assert parse(arguments, KNOWN, apart={"P11"}).ids == ids


def test_seven_rounds_are_run_and_written_beside_the_benchmarks_by_default():
    assert parse([], KNOWN) == Options(
        ids=KNOWN, rounds=7, output=Path("benchmarks") / "results.json"
    )


@pytest.mark.parametrize(
    ("arguments", "rounds"), [(["--rounds", "11"], 11), (["--quick"], 3), (["--rounds", "1"], 1)]
)
def test_the_number_of_rounds_can_be_chosen(arguments, rounds):
    assert parse(arguments, KNOWN).rounds == rounds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--id", "P12"], "there is no benchmark 'P12': did you mean P"),
        (["P111"], "there is no benchmark 'P111': did you mean P11?"),
        (["dispatch"], "there is no benchmark 'dispatch': there are P1, P2, P3, P11"),
        (["--rounds", "0"], "'0' is not a number of rounds"),
        (["--rounds", "many"], "'many' is not a number of rounds"),
        (["--rounds", "9", "--quick"], "not allowed with"),
        (["--output", "nowhere/at/all.json"], "there is no folder 'nowhere/at'"),
    ],
)
def test_wrong_arguments_are_named_and_end_with_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments, KNOWN)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
