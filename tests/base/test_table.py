"""Tables and pages as HTML text."""

from __future__ import annotations

from stargate.base.page import bound
from stargate.base.table import Amount, Link, named, table


def test_what_others_named_is_escaped_wherever_it_stands() -> None:
    nasty = '<i onclick="x">&'
    made = table(nasty, (nasty,) * 3, [(nasty, nasty, Amount(nasty)), (Link(nasty, "here"), nasty, 1)])
    made += named({nasty: nasty}) + bound(nasty, "", [(nasty, "")])
    assert "<i" not in made
    assert '<a href="#here">&lt;i onclick=&quot;x&quot;&gt;&amp;</a>' in made


def test_a_page_shows_so_many_rows_and_counts_the_rest() -> None:
    made = table("c", ("n",), [(str(number),) for number in range(5)], limit=3)
    assert made.count('<th scope="row">') == 3
    assert "2 more rows" in made
