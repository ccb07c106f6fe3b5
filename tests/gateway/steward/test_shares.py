from __future__ import annotations

from stargate.gateway.limits import Allotment, Wish
from stargate.gateway.record import Application, Budgets, Scope, Spent
from stargate.gateway.steward.shares import Shares

KEY = Application("k", "shop", "hash", Scope(budget_micro_usd=1_000))


def heard(month: int, own: int, name: str = "2026-03") -> Budgets:
    return Budgets(name, {"k": Spent(month, own)})


def test_before_anything_is_known_it_is_the_whole_budget() -> None:
    free = Application("free", "free", "hash")
    assert Shares().money([KEY, free]) == {"k": 1_000}


def test_what_was_spent_before_this_steward_began_is_gone() -> None:
    shares = Shares()
    shares.hear(heard(400, 300))
    assert shares.money([KEY]) == {"k": 600}


def test_what_this_host_spends_counts_once_and_what_others_spend_counts() -> None:
    """The allotment has given out what this host has told since."""
    shares = Shares()
    shares.hear(heard(400, 300))
    shares.hear(heard(500, 400))
    assert shares.money([KEY]) == {"k": 600}
    shares.hear(heard(700, 400))
    assert shares.money([KEY]) == {"k": 400}
    shares.hear(heard(5_000, 400))
    assert shares.money([KEY]) == {"k": 0}


def test_a_key_that_nobody_had_used_begins_with_nothing() -> None:
    shares = Shares()
    shares.hear(Budgets("2026-03", {}))
    shares.hear(heard(100, 100))
    assert shares.money([KEY]) == {"k": 1_000}


def test_a_new_month_brings_a_new_budget() -> None:
    shares = Shares()
    shares.hear(heard(0, 0))
    shares.hear(heard(900, 900))
    shares.hear(heard(0, 900, "2026-04"))
    assert shares.money([KEY]) == {"k": 1_900}, "900 of it were given out in March"


def test_two_hosts_stop_at_one_budget() -> None:
    hosts = {name: (Shares(), Allotment()) for name in ("a", "b")}
    told = dict.fromkeys(hosts, 0)

    def tell() -> None:
        for name, (shares, allotment) in hosts.items():
            shares.hear(Budgets("2026-03", {"k": Spent(sum(told.values()), told[name])}))
            allotment.update([KEY], shares.money([KEY]))

    tell()
    for turn in range(100):
        name = "ab"[turn % 2]
        told[name] += hosts[name][1].give(f"worker-{name}", Wish("k", "money", 70), turn).count
        tell()
    assert sum(told.values()) == 14 * 70
