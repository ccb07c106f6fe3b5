"""Team quotas with borrowing: what a team may use of its own, and of what others leave idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.broker.policy import Team
    from stargate.broker.state import State


def team_of(state: State, name: str) -> Team | None:
    """The team's declaration; None where policy knows no teams."""
    return next((team for team in state.records.policy.teams if team.id == name), None)


def over_quota(state: State, team_name: str, chips: int) -> Ground | None:
    """Why the team may not use `chips` more now; None if it may.

    Within its nominal quota a team may always start (others' borrowing is reclaimed by preemption). Beyond it, it
    borrows: up to its own limit, and only while the sum of all teams stays within the sum of nominal quotas.
    """
    team = team_of(state, team_name)
    if team is None:
        return None
    used = state.team_chips.get(team_name, 0)
    if used + chips <= team.nominal_chips:
        return None
    if (
        team.borrowing_limit_chips is not None
        and used + chips > team.nominal_chips + team.borrowing_limit_chips
    ):
        return Ground(
            f"team {team_name} uses {used} chips; {chips} more would pass its quota of {team.nominal_chips}"
            f" and the {team.borrowing_limit_chips} it may borrow"
        )
    total = sum(other.nominal_chips for other in state.records.policy.teams)
    if state.chips_in_use + chips > total:
        return Ground(f"no idle quota to borrow: {state.chips_in_use} of {total} chips are in use")
    return None


def borrows(state: State, team_name: str) -> bool:
    """Whether the team uses more than its nominal quota."""
    team = team_of(state, team_name)
    return team is not None and state.team_chips.get(team_name, 0) > team.nominal_chips


def may_reclaim(state: State, team_name: str, chips: int) -> bool:
    """Whether the team, with `chips` more, would still be within its nominal quota."""
    team = team_of(state, team_name)
    return team is not None and state.team_chips.get(team_name, 0) + chips <= team.nominal_chips
