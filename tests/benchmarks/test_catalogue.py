"""Benchmarks are found by the name of their file."""

from benchmarks.catalogue import APART, ids_in, modules


def test_files_named_by_number_and_subject_are_benchmarks_in_order_of_numbers():
    names = ["ratios", "p11_idle_cost", "p2_serve", "peers", "p_1", "p7", "processes", "p1_x"]
    assert list(ids_in(names).items()) == [
        ("P1", "p1_x"),
        ("P2", "p2_serve"),
        ("P11", "p11_idle_cost"),
    ]


def test_the_benchmarks_of_this_project_are_found():
    assert {"P1", "P2", "P4", "P8", "P9", "P11"} <= modules().keys()


def test_what_stands_apart_is_there():
    assert modules().keys() >= APART
