"""One placement decision over 10,000 offers of 12 providers under 30 agreements, and a peer on the same offers.

`python -m bench.placement [--offers N] [--peer PYTHON] [--json]`. The peer is SkyPilot's optimizer, run by another
interpreter (`make bench-peer` installs it into `.bench/skypilot`), in the same run, on the same offers and prices.
CPU time, medians. Both must name the same cheapest offer where no agreement speaks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import world
from stargate.broker import Envelope, Machine, Policy
from stargate.broker.ask import ask_of
from stargate.broker.command import Declare, Submit
from stargate.broker.place import place

TARGET_MS = 10
PEER = Path(__file__).parents[1] / ".bench" / "skypilot" / "bin" / "python"
PEER_SCRIPT = Path(__file__).parent / "peers" / "skypilot.py"


def declared(offers: int, agreements: int) -> Machine:
    """A machine that knows this many offers and agreements."""
    machine = Machine()
    command = Declare(world.infrastructure(offers), world.agreements(agreements), Policy(lab="lab"))
    machine.handle(Envelope("declare", world.NOW, command))
    return machine


def decide(machine: Machine, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of a search, and of a whole command (decide, apply, react)."""
    machine.handle(Envelope("probe", world.NOW, Submit("probe", world.workload("probe"))))
    holder = machine.state.records.workloads["probe"]
    searches, commands = [], []
    for number in range(rounds):
        ask = ask_of(machine.state, holder, holder.slots[0])
        start = time.process_time()
        survey = place(machine.state, ask, world.NOW)
        searches.append(time.process_time() - start)
        assert survey.choice is not None, "the offers have room"
        command = Submit(f"job-{number}", world.workload(f"job-{number}"))
        start = time.process_time()
        machine.handle(Envelope(f"submit-{number}", world.NOW, command))
        commands.append(time.process_time() - start)
    return {"search_ms": statistics.median(searches) * 1e3, "command_ms": statistics.median(commands) * 1e3}


def ask_peer(python: Path, offers: int) -> dict[str, float]:
    """The peer's CPU milliseconds for one warm decision over the same offers, and the price it found."""
    rows = [
        {
            "provider": pool.provider,
            "region": pool.site,
            "price": str(pool.prices[0].usd_per_chip_hour * 8),
            "id": pool.id,
        }
        for pool in world.infrastructure(offers).pools
    ]
    with tempfile.TemporaryDirectory() as folder:
        offers_file = Path(folder) / "offers.json"
        offers_file.write_text(json.dumps(rows))
        done = subprocess.run(  # our own script, by an interpreter that the caller named
            [str(python), str(PEER_SCRIPT), str(offers_file), folder],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"the peer failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--offers", type=int, default=10_000)
    parser.add_argument("--agreements", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--peer", type=Path, default=PEER, help="an interpreter that has the peer installed")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result: dict[str, object] = {
        "offers": given.offers,
        "agreements": given.agreements,
        "target_ms": TARGET_MS,
    }
    result |= decide(declared(given.offers, given.agreements), given.rounds)
    free = declared(given.offers, 0)
    free.handle(Envelope("s", world.NOW, Submit("free", world.workload("free"))))
    chosen = free.state.records.attempts["free.0.1"].price_micro_usd_per_chip_hour
    if given.peer.exists():
        peer = ask_peer(given.peer, given.offers)
        result |= {"peer_ms": peer["ms"], "ratio": peer["ms"] / float(str(result["search_ms"]))}
        result["same_cheapest_price"] = abs(peer["usd_per_hour"] - chosen * 8 / 1e6) < 1e-6
    if given.json:
        print(json.dumps(result))
        return
    print(
        f"{given.offers} offers, 12 providers, {given.agreements} agreements; CPU time, median of {given.rounds}"
    )
    print(f"  one search        {result['search_ms']:8.2f} ms   (target < {TARGET_MS} ms)")
    print(f"  one whole command {result['command_ms']:8.2f} ms")
    if "peer_ms" in result:
        print(f"  SkyPilot          {result['peer_ms']:8.2f} ms   ratio {result['ratio']:.0f}")
        print(f"  same cheapest price without agreements: {result['same_cheapest_price']}")
    else:
        print("  SkyPilot is not installed here: `make bench-peer` installs it and measures both")


if __name__ == "__main__":
    main()
