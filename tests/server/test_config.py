from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import ForbiddenError, InputError, UserError
from stargate.broker import Policy
from stargate.server.config import ServerConfig, demand_safe, is_loopback, read_plan, read_texts
from tests.server.world import INFRASTRUCTURE, POLICY, configured


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_safe(host: str) -> None:
    assert is_loopback(host)
    demand_safe(ServerConfig(Path(), host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "", "127.0.0.1.example.org"])
def test_anything_else_takes_a_flag(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ForbiddenError, match="--allow-remote"):
        demand_safe(ServerConfig(Path(), host=host))
    demand_safe(ServerConfig(Path(), host=host, allow_remote=True))


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_is_a_port(port: int) -> None:
    with pytest.raises(UserError, match="no port"):
        demand_safe(ServerConfig(Path(), port=port))


def test_the_files_are_declared(tmp_path: Path) -> None:
    command = read_plan(configured(tmp_path)).command
    assert len(command.infrastructure.pools) == 5
    assert command.policy.lab == "lab"
    assert [agreement.id for agreement in command.agreements] == ["ms-2025"]


def test_every_problem_of_every_file_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, INFRASTRUCTURE.replace("chip: H100-SXM", "chip: H1"))
    (tmp_path / "policy.yaml").write_text("policy: {labb: x, backfill_depth: many}")
    with pytest.raises(InputError) as raised:
        read_plan(config)
    said = str(raised.value)
    assert "infrastructure.yaml" in said
    assert "labb" in said
    assert "backfill_depth" in said


def test_no_policy_file_is_the_default_policy() -> None:
    assert read_plan(ServerConfig(Path())).command.policy == Policy()


def test_a_policy_file_without_policy(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("pools: []")
    with pytest.raises(InputError, match="no document here begins with `policy:`"):
        read_plan(ServerConfig(Path(), policy=(path,)))


def test_two_policies_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("policy: {lab: a}\n---\npolicy: {lab: b}")
    with pytest.raises(InputError, match=r"stands in .* already"):
        read_plan(ServerConfig(Path(), policy=(path,)))


def test_one_text_holds_everything() -> None:
    command = read_texts(f"{INFRASTRUCTURE}\n---\n{POLICY}").command
    assert len(command.infrastructure.pools) == 5
    assert command.policy.sourcing.automatic is False


def test_a_configuration_names_its_files() -> None:
    config = ServerConfig(Path("data"))
    assert (config.journal, config.keys) == (Path("data/journal.sqlite"), Path("data/keys.json"))
    assert not config.declares
    assert msgspec.structs.replace(config, policy=(Path("p"),)).declares
