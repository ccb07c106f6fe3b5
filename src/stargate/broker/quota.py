"""Team quotas with borrowing: what a team may use of its own, and of what others leave idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.broker.policy import Team
    from stargate.broker.state import State


def team_of(state: State, name: str) -> Team | None:
    """The team's declaration; None where policy does not know the team."""
    return state.teams.get(name)


def over_quota(state: State, team_name: str, chips: int) -> Ground | None:
    """Why the team may not use `chips` more now; None if it may.

    Within its nominal quota a team may always start (others' borrowing is reclaimed by preemption). Beyond it, it
    borrows: up to its own limit, and only while the sum of all teams stays within the sum of nominal quotas.
    """
    if not state.teams:
        return None
    team = team_of(state, team_name)
    if team is None:
        return Ground(f"team {team_name!r} has no quota any more")
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
    if state.chips_in_use + chips > state.nominal_chips:
        return Ground(
            f"no idle quota to borrow: {state.chips_in_use} of {state.nominal_chips} chips are in use"
        )
    return None


def borrows(state: State, team_name: str, less_chips: int = 0) -> bool:
    """Whether the team uses more than its nominal quota, `less_chips` not counted. A team without quota borrows all."""
    if not state.teams:
        return False
    team = team_of(state, team_name)
    nominal = 0 if team is None else team.nominal_chips
    return state.team_chips.get(team_name, 0) - less_chips > nominal


def may_reclaim(state: State, team_name: str, chips: int) -> bool:
    """Whether the team, with `chips` more, would still be within its nominal quota."""
    team = team_of(state, team_name)
    return team is not None and state.team_chips.get(team_name, 0) + chips <= team.nominal_chips
