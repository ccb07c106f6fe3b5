"""OpenAI's own tests of its Python client, run at a bare backend and at the gateway before it: what differs is ours.

    python -m tests.gateway.suites --openai-python CLONE [--backend llama]

`CLONE` is a clone of https://github.com/openai/openai-python; its tests need pytest-asyncio beside
what it installs (`--python` names an environment that has them). Both columns are printed, and every test whose
outcome differs; the exit code is 1 where one fails at the gateway and passes at the bare backend.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stargate.gateway.record import Application, Scope
from tests.gateway.alone import alone, endpoint, routes
from tests.gateway.provider import spawn
from tests.gateway.provider.server import free_port

ROOT = Path(__file__).resolve().parents[2]
KEY = "My API Key"
"""Which those tests send."""
MODELS = (
    "model", "gpt-3.5-turbo-instruct", "gpt-5.1", "gpt-5.4", "gpt-5.6-sol", "text-embedding-3-small",
)  # fmt: skip
"""Which those tests ask for."""
FILES = (
    "chat/test_completions.py", "test_completions.py", "test_embeddings.py", "test_models.py", "test_responses.py",
)  # fmt: skip
START_S = 60.0
SUITE_S = 1_800


def outcomes(asked: argparse.Namespace, url: str, report: Path) -> dict[str, str]:
    """Every test's outcome at that address."""
    clone: Path = asked.openai_python.resolve()
    paths = [str(clone / "src"), str(clone), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "TEST_API_BASE_URL": url, "PYTHONPATH": os.pathsep.join(paths)}
    files = [str(clone / "tests" / "api_resources" / name) for name in FILES]
    options = ["-q", "-k", asked.only, "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["--tb=no", f"--junitxml={report}"]
    subprocess.run(
        [asked.python, "-m", "pytest", *options, *files],
        cwd=clone, env=environment, stdout=subprocess.DEVNULL, timeout=SUITE_S, check=False,
    )  # fmt: skip
    found = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = {each.tag for each in case} & {"failure", "error", "skipped"}
        name = f"{case.get('classname', '').removeprefix('tests.api_resources.')}.{case.get('name')}"
        found[name] = min(kinds) if kinds else "passed"
    return found


@contextlib.contextmanager
def backend(kind: str) -> Iterator[tuple[str, str]]:
    """Its address, and what it calls its model."""
    if kind == "mock":
        with spawn() as provider:
            yield provider.url, "tiny"
        return
    port = free_port()
    command = [sys.executable, "-m", "stargate.demo.llama", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/v1", "smollm2"
        finally:
            process.terminate()


def _wait(url: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    before_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), direct.open(url, timeout=5) as answer:
            if answer.status == 200:
                return
        if time.monotonic() > before_s:
            raise TimeoutError(f"nobody answers at {url}")
        time.sleep(0.1)


def compare(asked: argparse.Namespace, folder: Path) -> int:
    """Run both, print both. How many tests fail at the gateway alone."""
    sha256 = hashlib.sha256(KEY.encode()).hexdigest()
    application = Application(id="suite", name="suite", sha256=sha256, scope=Scope(models=MODELS))
    with backend(asked.backend) as (url, name):
        bare = outcomes(asked, url, folder / "bare.xml")
        known = routes(
            *(endpoint(url, id=each, model=each, upstream_model=name, usage_path="") for each in MODELS),
            applications=(application,),
        )
        with alone(folder / "gateway", known) as gateway:
            ours = outcomes(asked, gateway.url, folder / "gateway.xml")
    print(f"{'':10}{'bare':>8}{'gateway':>9}")
    counts = Counter(bare.values()), Counter(ours.values())
    for outcome in sorted(counts[0] | counts[1]):
        print(f"{outcome:10}{counts[0][outcome]:8,}{counts[1][outcome]:9,}")
    differing = sorted(name for name in bare.keys() | ours.keys() if bare.get(name) != ours.get(name))
    for each in differing:
        print(f"{each}: {bare.get(each, 'absent')} bare, {ours.get(each, 'absent')} at the gateway")
    worse = [each for each in differing if bare.get(each) == "passed"]
    print(f"{len(worse)} fail at the gateway alone, {len(differing) - len(worse)} at the bare backend alone")
    return len(worse) if bare else 1


def main() -> int:
    """Read the command line, compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.suites")
    parser.add_argument("--openai-python", type=Path, required=True, metavar="CLONE")
    parser.add_argument("--backend", choices=("mock", "llama"), default="mock")
    parser.add_argument("--only", default="", metavar="WORDS", help="as pytest's -k")
    parser.add_argument(
        "--python", default=sys.executable, metavar="PYTHON", help="with what those tests need"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return bool(compare(asked, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
