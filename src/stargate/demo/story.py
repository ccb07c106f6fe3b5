"""The story that the demo plays, on a real server with real processes.

1. A training job is submitted that what is held cannot serve.
2. Whoever holds a right of first refusal is offered it, and answers for itself.
3. The market is asked; the best permitted deal is signed; the job starts.
4. At a third of the way its provider is killed. It goes on elsewhere, from its checkpoint.
5. Its final loss is compared with that of a run that nobody disturbed, and the journal is verified.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stargate.base.errors import InternalError
from stargate.base.money import usd
from stargate.demo.host import FILES, Host
from stargate.demo.scene import AttemptShown, Beat, OfferShown, Scene

JOB = "lm"
HOLDER = "microsoft"
"""The party whose right it is, played by the demo under a provider's key of its own."""
PATIENCE_S = 180.0
"""Longest wait for any one step of the story."""
Show = Callable[[Scene], None]


class Story:
    """One playing of the story."""

    def __init__(self, host: Host, show: Show) -> None:
        self._host = host
        self._api = host.api
        self._show = show
        self._start = time.monotonic()
        self.scene = Scene()

    def play(self) -> Scene:
        """From the submission to the comparison."""
        self._submit()
        self._answer_for_holder()
        first = self._await_running("")
        self._await_third()
        self._kill(first)
        self._await_running(first)
        self._await_end()
        self._compare()
        self._explain()
        self.scene.result.seconds = round(time.monotonic() - self._start, 2)
        self._show(self.scene)
        return self.scene

    # -- the steps -------------------------------------------------------------------------------------------

    def _submit(self) -> None:
        text = (FILES / "train.yaml").read_text()
        self._api.post("/v1/workloads", {"id": JOB, "yaml": text})
        self._beat("submit", f"{JOB}: a language model, trained data-parallel; what is held cannot serve it")

    def _answer_for_holder(self) -> None:
        """The holder's desk sees only its own offers, compares them with its own capacity, and says so."""
        key = self._api.post("/v1/keys", {"name": "azure-desk", "role": "provider", "party": HOLDER})["key"]
        desk = self._api.under(key)
        offer = self._wait(
            "an offer to the holder", lambda: self._open_offer(desk.get("/v1/offers")["items"])
        )
        wanted = offer["chips"]
        have = self._capacity_of(HOLDER)
        right = offer["right"]
        self._beat("offer", f"{HOLDER} is asked first ({right['mode']}, {right['clause']}): {wanted} chips")
        answer = {"answer": "cannot_meet", "unmet": ["chips"]} if have < wanted else {"answer": "accept"}
        desk.post(f"/v1/offers/{offer['id']}/answer", answer)
        desk.close()
        said = f"it has {have}, and cannot meet the requirement" if have < wanted else "it accepts"
        self._beat("offer", f"{HOLDER} answers: {said}")

    def _await_running(self, before: str) -> str:
        """The provider on which the job trains now, another one than `before`."""

        def running() -> str:
            self._look()
            last = self.scene.result.attempts[-1]
            told = last.outcome == "running" and last.first_step is not None
            return last.provider if told and last.provider != before else ""

        self._wait("a provider", lambda: self._placed_on(before))
        self._deal(before)
        on: str = self._wait("the job to run", running)
        attempt = self.scene.result.attempts[-1]
        self._beat("run" if not before else "recover", f"{JOB} trains on {on} from step {attempt.first_step}")
        return on

    def _await_third(self) -> None:
        self._wait(
            "a third of the steps", lambda: self._look() and self.scene.step * 3 >= self.scene.total_steps
        )

    def _kill(self, provider: str) -> None:
        pid = self._host.kill_provider(provider)
        self.scene.supply[provider] = "lost"
        self._beat("kill", f"{provider} is killed: SIGKILL to process {pid}, at step {self.scene.step}")

    def _await_end(self) -> None:
        def ended() -> bool:
            self._look()
            status = self._api.get(f"/v1/workloads/{JOB}")["status"]
            if status in {"failed", "cancelled"}:
                raise InternalError(f"the demo's job has {status}", f"see {self._host.data}/server.log")
            return bool(status == "succeeded")

        self._wait("the job to finish", ended)
        self._look()
        self._beat("done", f"{JOB} is done: held-out loss {self.scene.result.final_loss}")

    def _compare(self) -> None:
        """The same training, alone and undisturbed, in this process's own child."""
        result = self.scene.result
        result.undisturbed_final_loss = undisturbed_loss(self.scene.total_steps)
        same = (
            "the same to the last digit"
            if result.final_loss == result.undisturbed_final_loss
            else "NOT the same"
        )
        self._beat("check", f"undisturbed, it ends with {result.undisturbed_final_loss}: {same}")

    def _explain(self) -> None:
        result = self.scene.result
        result.journal_verified = bool(self._api.get("/v1/journal/verify")["ok"])
        result.offers = [
            OfferShown(
                o["right"]["holder"],
                o["right"]["mode"],
                o["status"],
                o["right"]["clause"],
                tuple(o.get("unmet", ())),
            )
            for o in self._api.get("/v1/offers")["items"]
        ]
        after = 0
        while entries := self._api.get("/v1/journal", after=after, limit=200)["items"]:
            result.decisions += [decision(entry) for entry in entries if entry["fact"].get("grounds")]
            after = entries[-1]["seq"]
        verdict = "verifies" if result.journal_verified else "DOES NOT VERIFY"
        self._beat("check", f"the journal {verdict}: {after} entries, each chained to the one before")

    # -- looking ----------------------------------------------------------------------------------------------

    def _look(self) -> bool:
        """Bring the scene up to date."""
        scene = self.scene
        job = self._api.get(f"/v1/workloads/{JOB}")
        scene.result.attempts = [shown(attempt) for attempt in job["attempts"]]
        if job["attempts"]:
            last = job["attempts"][-1]
            progress = last.get("progress") or {}
            scene.step = progress.get("step") or scene.step
            scene.total_steps = progress.get("total_steps") or scene.total_steps
            scene.loss = float(progress["loss"]) if progress.get("loss") is not None else scene.loss
            scene.running_on = last["provider"] if last["status"] == "running" else ""
            loss = (last.get("metrics") or {}).get("loss")
            scene.result.final_loss = None if loss is None else float(loss)
        self._show(scene)
        return True

    def _placed_on(self, before: str) -> str:
        self._look()
        attempts = self.scene.result.attempts
        return attempts[-1].provider if attempts and attempts[-1].provider != before else ""

    def _deal(self, before: str) -> None:
        """Say what was signed, and what else was on the table."""
        market = [pool for pool in self._api.get("/v1/pools")["items"] if pool["tenure"] == "market"]
        asked = ", ".join(
            f"{pool['provider']} ${usd(pool['price_micro_usd_per_chip_hour']):.2f}" for pool in market
        )
        if not before:
            self._beat("market", f"the market is asked: {asked} a chip-hour")
        for lease in self._api.get("/v1/leases")["items"]:
            if lease["provider"] != before and lease["status"] == "active":
                price = usd(lease["price_micro_usd_per_chip_hour"])
                again = " (the refusal still stands: nobody is asked twice)" if before else ""
                self._beat("market", f"{lease['provider']} wins at ${price:.2f} a chip-hour{again}")
                return

    def _capacity_of(self, party: str) -> int:
        """Chips that a party's providers have, as their own desk would know."""
        pools = self._api.get("/v1/pools")["items"]
        return sum(pool["chips"] for pool in pools if pool["party"] == party)

    @staticmethod
    def _open_offer(offers: list[Any]) -> Any:
        return next((offer for offer in offers if offer["status"] == "offered"), None)

    def _wait(self, what: str, condition: Callable[[], Any]) -> Any:
        return self._host.wait(what, condition, PATIENCE_S)

    def _beat(self, what: Any, says: str) -> None:
        self.scene.beats.append(Beat(round(time.monotonic() - self._start, 2), what, says))
        self._show(self.scene)


def decision(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the journal as the demo reports it: what, when, and why."""
    fact = entry["fact"]
    about = next(
        (fact[key] for key in ("offer", "lease", "need", "attempt", "workload", "id") if key in fact), ""
    )
    return {
        "seq": entry["seq"],
        "at": entry["at"],
        "fact": fact["type"],
        "about": about,
        "grounds": fact["grounds"],
    }


def shown(attempt: dict[str, Any]) -> AttemptShown:
    """An attempt of the API in the demo's words."""
    progress = attempt.get("progress") or {}
    live = attempt["status"] != "ended"
    return AttemptShown(
        id=attempt["id"],
        provider=attempt["provider"],
        pool=attempt["pool"],
        first_step=attempt.get("first_step") or progress.get("first_step"),
        last_step=progress.get("step") if live else attempt.get("last_step"),
        outcome="running" if live else attempt["outcome"],
        price_usd_per_chip_hour=str(usd(attempt["price_micro_usd_per_chip_hour"])),
        cost_usd=str(usd(attempt.get("cost_micro_usd", 0))),
    )


def undisturbed_loss(steps: int) -> float:
    """Train from the start to the end in one piece, outside the infrastructure."""
    with tempfile.TemporaryDirectory(prefix="stargate-undisturbed-") as folder:
        progress = Path(folder) / "progress"
        command = [
            sys.executable,
            "-m",
            "stargate.demo.train",
            "--steps",
            str(steps),
            "--checkpoint-dir",
            folder,
        ]
        subprocess.run(
            command,
            env=os.environ | {"STARGATE_PROGRESS_FILE": str(progress)},
            check=True,
            capture_output=True,
        )
        return float(msgspec.json.decode(progress.read_bytes())["loss"])
